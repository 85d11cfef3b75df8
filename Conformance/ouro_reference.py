"""Ouro in numpy, written from its description alone: what the language models are judged by.

It is slow and plain on purpose: one sequence, all positions, float64, every loop kept. `checkpoint` writes a random
model as a Hugging Face directory, `Reference` reads such a directory and runs it.
"""

import json

import ml_dtypes
import numpy as np
import safetensors.numpy

TINY = dict(
    model_type="ouro", architectures=["OuroForCausalLM"], vocab_size=320, hidden_size=64, intermediate_size=176,
    num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=4, head_dim=16, max_position_embeddings=512,
    rope_theta=1e6, rope_scaling=None, rms_norm_eps=1e-6, tie_word_embeddings=False, total_ut_steps=4,
    early_exit_threshold=1.0, hidden_act="silu", torch_dtype="bfloat16", bos_token_id=0, eos_token_id=0, pad_token_id=0,
)  # fmt: skip


def byte_characters():
    """GPT-2's alphabet: a printable character for every byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]


def tokenizer_json(vocabulary):
    """A byte-level tokenizer without merges: ids 0 to 2 are special, 3 to 258 the bytes, the rest unused words."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    pieces = special + byte_characters()
    pieces += [f"<|unused{i}|>" for i in range(len(pieces), vocabulary)]
    added = [
        dict(id=i, content=piece, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
        for i, piece in enumerate(pieces)
        if piece.startswith("<|")
    ]
    levels = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    return dict(
        version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None, post_processor=None,
        pre_tokenizer=dict(type="Sequence", pretokenizers=[dict(type="Digits", individual_digits=True), levels]),
        decoder=levels,
        model=dict(type="BPE", dropout=None, unk_token=None, vocab={p: i for i, p in enumerate(pieces)}, merges=[]),
    )  # fmt: skip


def checkpoint(folder, seed=1, shards=1, dtype=ml_dtypes.bfloat16, **changes):
    """Writes a random model; returns its configuration. Norms and gate are random too, so that a mix-up shows."""
    config = TINY | changes
    rng = np.random.default_rng(seed)
    d, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    kv, size = config["num_key_value_heads"], config["head_dim"]

    def matrix(rows, columns):
        return (rng.standard_normal((rows, columns)) / np.sqrt(columns)).astype(dtype)

    def norm():
        return rng.uniform(0.5, 1.5, d).astype(dtype)

    tensors = {"model.embed_tokens.weight": rng.standard_normal((config["vocab_size"], d)).astype(dtype)}
    for i in range(config["num_hidden_layers"]):
        at = f"model.layers.{i}."
        shapes = dict(q=(heads * size, d), k=(kv * size, d), v=(kv * size, d), o=(d, heads * size))
        tensors |= {f"{at}self_attn.{n}_proj.weight": matrix(*shape) for n, shape in shapes.items()}
        shapes = dict(gate=(inner, d), up=(inner, d), down=(d, inner))
        tensors |= {f"{at}mlp.{n}_proj.weight": matrix(*shape) for n, shape in shapes.items()}
        names = ["input_layernorm", "post_attention_layernorm"]
        if config["model_type"] == "ouro":
            names += ["input_layernorm_2", "post_attention_layernorm_2"]
        tensors |= {f"{at}{n}.weight": norm() for n in names}
    tensors["model.norm.weight"] = norm()
    if not config["tie_word_embeddings"]:
        tensors["lm_head.weight"] = matrix(config["vocab_size"], d)
    if config["model_type"] == "ouro":
        tensors["model.early_exit_gate.weight"] = matrix(1, d) * dtype(2)
        tensors["model.early_exit_gate.bias"] = np.array([-0.5]).astype(dtype)

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps(dict(bos_token_id=0, eos_token_id=0, pad_token_id=0)))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(config["vocab_size"])))
    template = (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    words = dict(chat_template=template, eos_token="<|endoftext|>", bos_token="<|endoftext|>")
    (folder / "tokenizer_config.json").write_text(json.dumps(words))
    if shards == 1:
        safetensors.numpy.save_file(tensors, folder / "model.safetensors")
        return config
    places = {}
    for shard in range(shards):
        name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(tensors.items())[shard::shards])
        safetensors.numpy.save_file(part, folder / name)
        places |= {tensor: name for tensor in part}
    size = sum(t.nbytes for t in tensors.values())
    index = dict(metadata=dict(total_size=size), weight_map=places)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return config


def rms(x, weight, epsilon):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


def silu(x):
    return x / (1 + np.exp(-x))


class Reference:
    """A model read from a directory, in float64; `rounds` rounds matrices and what they are given to bf16."""

    def __init__(self, folder, rounds=False):
        self.rounds = rounds
        self.config = json.loads((folder / "config.json").read_text())
        self.weights = {}
        for file in sorted(folder.glob("*.safetensors")):
            loaded = safetensors.numpy.load_file(file)
            self.weights |= {name: array.astype(np.float64) for name, array in loaded.items()}
        config = self.config
        self.size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        self.loops = config["total_ut_steps"] if config["model_type"] == "ouro" else 1

    def layer(self, i, part):
        return self.weights[f"model.layers.{i}.{part}.weight"]

    def times(self, x, matrix):
        if self.rounds:
            x, matrix = (a.astype(ml_dtypes.bfloat16).astype(np.float64) for a in (x, matrix))
        return x @ matrix.T

    def turned(self, x):
        """Rotary embedding of [tokens, heads, size]: the halves of a head are the two coordinates of its planes."""
        half = self.size // 2
        frequency = self.config["rope_theta"] ** (-np.arange(half) / half)
        angle = np.arange(x.shape[0])[:, None, None] * frequency
        first, second = x[..., :half], x[..., half:]
        turn = first * np.cos(angle) - second * np.sin(angle), second * np.cos(angle) + first * np.sin(angle)
        return np.concatenate(turn, -1)

    def attention(self, i, x):
        tokens = len(x)
        q, k, v = (self.times(x, self.layer(i, f"self_attn.{n}_proj")).reshape(tokens, -1, self.size) for n in "qkv")
        q, k = self.turned(q), self.turned(k)
        share = q.shape[1] // k.shape[1]
        k, v = np.repeat(k, share, 1), np.repeat(v, share, 1)
        scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(self.size)
        scores = np.where(np.tri(tokens, dtype=bool), scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        attended = np.einsum("hij,jhd->ihd", scores, v).reshape(tokens, -1)
        return self.times(attended, self.layer(i, "self_attn.o_proj"))

    def mlp(self, i, x):
        gate, up = (self.times(x, self.layer(i, f"mlp.{n}_proj")) for n in ("gate", "up"))
        return self.times(silu(gate) * up, self.layer(i, "mlp.down_proj"))

    def block(self, i, h):
        epsilon = self.config["rms_norm_eps"]
        sandwich = self.config["model_type"] == "ouro"
        branch = self.attention(i, rms(h, self.layer(i, "input_layernorm"), epsilon))
        h = h + (rms(branch, self.layer(i, "input_layernorm_2"), epsilon) if sandwich else branch)
        branch = self.mlp(i, rms(h, self.layer(i, "post_attention_layernorm"), epsilon))
        return h + (rms(branch, self.layer(i, "post_attention_layernorm_2"), epsilon) if sandwich else branch)

    def run(self, tokens, loops=None):
        """(states [loops, tokens, hidden], logits [loops, tokens, vocabulary], gates [loops, tokens] or None)."""
        weights, states = self.weights, []
        h = weights["model.embed_tokens.weight"][tokens]
        for _ in range(loops or self.loops):
            for i in range(self.config["num_hidden_layers"]):
                h = self.block(i, h)
            h = rms(h, weights["model.norm.weight"], self.config["rms_norm_eps"])
            states.append(h)
        states = np.stack(states)
        readout = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
        gate = weights.get("model.early_exit_gate.weight")
        gates = None if gate is None else states @ gate[0] + weights["model.early_exit_gate.bias"][0]
        return states, self.times(states, readout), gates


def exit_probabilities(gates):
    """[loops, tokens] -> the same: p_t = λ_t Π (1 - λ_j), and what is left for the last loop, whose gate is ignored."""
    leave = 1 / (1 + np.exp(-gates))
    stay = np.cumprod(1 - leave, 0)
    before = np.concatenate([np.ones_like(stay[:1]), stay[:-1]])
    return np.concatenate([(leave * before)[:-1], before[-1:]])


def exit_loops(gates, threshold):
    """The loop, counted from 1, after which each token leaves."""
    last = len(gates)
    if threshold >= 1:
        return np.full(gates.shape[1], last)
    reached = np.cumsum(exit_probabilities(gates), 0) >= threshold
    reached[-1] = True
    return reached.argmax(0) + 1
