"""Model files: the gguf and safetensors packages read what we write, and write what we read, value for value."""

import json
import subprocess

import gguf
import ml_dtypes
import numpy as np
import ouro_reference
import pytest
import safetensors.numpy
from conftest import BINARY, looped

TYPES = {
    "f32": gguf.GGMLQuantizationType.F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
    "q4_0": gguf.GGMLQuantizationType.Q4_0,
    "q4_1": gguf.GGMLQuantizationType.Q4_1,
    "q4_k": gguf.GGMLQuantizationType.Q4_K,
    "q6_k": gguf.GGMLQuantizationType.Q6_K,
}
# What the gguf package can quantise itself; of the others it only reads.
WRITABLE = ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1"]

# Rows of 256 and 512: whole blocks of every type.
WIDE = dict(
    hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    head_dim=64, vocab_size=288,
)  # fmt: skip
# Of Llama: one loop, tied embeddings, grouped queries as in SmolLM2.
LLAMA = dict(
    model_type="llama", hidden_size=96, intermediate_size=160, num_hidden_layers=2, num_attention_heads=9,
    num_key_value_heads=3, head_dim=32, vocab_size=288, tie_word_embeddings=True,
)  # fmt: skip


def tensors(folder):
    """Every array of a folder, as float32."""
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        found |= {name: array.astype(np.float32) for name, array in safetensors.numpy.load_file(path).items()}
    return found


def checkpoint(folder, **changes):
    """A random checkpoint in bfloat16."""
    ouro_reference.checkpoint(folder, **changes)
    return folder


def permuted(array, heads):
    """The order of rows of queries and keys in GGUF files, as llama.cpp's converter defines it."""
    rows, columns = array.shape
    return array.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm", "input_layernorm_2": "post_attention_norm",
    "post_attention_layernorm": "ffn_norm", "post_attention_layernorm_2": "post_ffw_norm",
}  # fmt: skip
OUTER = {
    "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight", "model.early_exit_gate.weight": "exit_gate.weight",
    "model.early_exit_gate.bias": "exit_gate.bias",
}  # fmt: skip


def as_gguf(arrays, config):
    """The arrays of a checkpoint under their GGUF names, in GGUF's order of rows."""
    result = {}
    for name, array in arrays.items():
        if name in OUTER:
            result[OUTER[name]] = array.reshape(-1) if "exit_gate" in name else array
            continue
        layer, part = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
        if part == "self_attn.q_proj":
            array = permuted(array, config["num_attention_heads"])
        if part == "self_attn.k_proj":
            array = permuted(array, config["num_key_value_heads"])
        result[f"blk.{layer}.{NAMES[part]}.weight"] = array
    return result


def metadata(path):
    reader = gguf.GGUFReader(path)
    return {key: field.contents() for key, field in reader.fields.items()}


def dequantised(path):
    """Every array of a GGUF file as the gguf package reads it, as float32."""
    found = {}
    for tensor in gguf.GGUFReader(path).tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        found[tensor.name] = values.reshape(tuple(reversed(tensor.shape.tolist()))).astype(np.float32)
    return found


def within_one_ulp(ours, theirs):
    return np.all(np.abs(ours - theirs) <= np.spacing(np.maximum(np.abs(ours), np.abs(theirs))))


def read_by_us(path, folder):
    """The arrays of a model file as we read them: written anew in float32, in the order of Hugging Face."""
    looped("convert", path, folder, "--outtype", "f32")
    return tensors(folder)


@pytest.mark.parametrize("kind", [WIDE, LLAMA], ids=["ouro", "llama"])
@pytest.mark.parametrize("outtype", TYPES)
def test_gguf_reads_what_we_write(tmp_path, kind, outtype):
    source = checkpoint(tmp_path / "m", **kind)
    config = json.loads((source / "config.json").read_text())
    path = tmp_path / "m.gguf"
    report = json.loads(looped("convert", source, path, "--outtype", outtype, "--json"))
    exact = as_gguf(tensors(source), config)
    if config["tie_word_embeddings"]:
        exact.pop("output.weight", None)
    theirs = dequantised(path)
    assert theirs.keys() == exact.keys()
    instead = {exception["name"]: exception["type"] for exception in report["exceptions"]}
    stored = {tensor.name: tensor.tensor_type for tensor in gguf.GGUFReader(path).tensors}
    bits = dict(f32=32, f16=16, bf16=16, q8_0=8, q4_0=4, q4_1=4, q4_k=4, q6_k=6)
    for name, array in exact.items():
        assert theirs[name].shape == array.shape, name
        if array.ndim == 1 or min(array.shape) == 1:
            assert stored[name] == gguf.GGMLQuantizationType.F32, name
        else:
            assert stored[name].name.lower() == instead.get(name, outtype).lower(), name
        # Half a step of the widest grid of a block: the range of the weights over the number of steps, with room for
        # rounded scales; f16 and bf16 round relatively.
        steps = 2 ** bits[stored[name].name.lower()] if stored[name].name.startswith("Q") else None
        error = np.abs(theirs[name] - array)
        if stored[name].name == "F32":
            assert np.array_equal(theirs[name], array), name
        elif steps is None:
            assert np.all(error <= np.abs(array) * 2.0**-8 + 1e-7), name
        else:
            assert error.max() <= 1.3 * (array.max() - array.min()) / steps, name
    # And we read the file as they do.
    ours = as_gguf(read_by_us(path, tmp_path / "back"), config)
    for name, array in theirs.items():
        assert within_one_ulp(ours[name], array), name


@pytest.mark.parametrize("kind", [WIDE, LLAMA], ids=["ouro", "llama"])
def test_metadata_is_llama_cpps(tmp_path, kind):
    source = checkpoint(tmp_path / "m", **kind)
    config = json.loads((source / "config.json").read_text())
    looped("convert", source, tmp_path / "m.gguf", "--outtype", "q8_0")
    found = metadata(tmp_path / "m.gguf")
    arch = config["model_type"]
    expected = {
        "general.architecture": arch, "general.type": "model", "general.file_type": 7, "general.quantization_version": 2,
        f"{arch}.block_count": config["num_hidden_layers"], f"{arch}.embedding_length": config["hidden_size"],
        f"{arch}.feed_forward_length": config["intermediate_size"],
        f"{arch}.context_length": config["max_position_embeddings"],
        f"{arch}.attention.head_count": config["num_attention_heads"],
        f"{arch}.attention.head_count_kv": config["num_key_value_heads"],
        f"{arch}.attention.key_length": config["head_dim"], f"{arch}.rope.dimension_count": config["head_dim"],
        f"{arch}.rope.freq_base": config["rope_theta"], f"{arch}.vocab_size": config["vocab_size"],
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm",
    }  # fmt: skip
    if arch == "ouro":
        expected |= {"ouro.num_loops": 4, "ouro.skip_loop_final_norm": False, "ouro.early_exit_threshold": 1.0}
    assert expected.items() <= found.items(), {key: found.get(key) for key in expected}
    assert found[f"{arch}.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-6, rel=1e-6)
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    pieces = found["tokenizer.ggml.tokens"]
    assert {piece: number for number, piece in enumerate(pieces)} == tokenizer["model"]["vocab"]
    added = {token["id"] for token in tokenizer["added_tokens"]}
    assert [kind == 3 for kind in found["tokenizer.ggml.token_type"]] == [i in added for i in range(len(pieces))]
    assert json.loads(found["tokenizer.huggingface.json"]) == tokenizer


@pytest.mark.parametrize("kind", [WIDE, LLAMA], ids=["ouro", "llama"])
@pytest.mark.parametrize("outtype", WRITABLE)
def test_we_read_what_gguf_writes(tmp_path, kind, outtype):
    source = checkpoint(tmp_path / "m", **kind)
    config = json.loads((source / "config.json").read_text())
    arch = config["model_type"]
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", arch)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if arch == "ouro":
        writer.add_uint32("ouro.num_loops", 3)
    # Of every type, and arrays of them.
    writer.add_array("test.strings", ["a", "b \u00e9"])
    writer.add_array("test.numbers", [1, 2, 3])
    writer.add_uint8("test.u8", 1)
    writer.add_int8("test.i8", -1)
    writer.add_uint16("test.u16", 1)
    writer.add_int16("test.i16", -1)
    writer.add_int32("test.i32", -1)
    writer.add_uint64("test.u64", 1)
    writer.add_int64("test.i64", -1)
    writer.add_float64("test.f64", 0.5)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "")
    expected = {}
    for name, array in as_gguf(tensors(source), config).items():
        if config["tie_word_embeddings"] and name == "output.weight":
            continue
        isMatrix = array.ndim == 2 and min(array.shape) > 1
        kind_of = TYPES[outtype] if isMatrix else gguf.GGMLQuantizationType.F32
        data = gguf.quants.quantize(array, kind_of)
        writer.add_tensor(name, data, raw_shape=data.shape, raw_dtype=kind_of)
        expected[name] = gguf.quants.dequantize(data, kind_of).reshape(array.shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ours = as_gguf(read_by_us(tmp_path / "m.gguf", tmp_path / "back"), config)
    assert ours.keys() == expected.keys()
    for name, array in expected.items():
        assert within_one_ulp(ours[name], array), name
    if arch == "ouro":
        assert json.loads((tmp_path / "back" / "config.json").read_text())["total_ut_steps"] == 3


@pytest.mark.parametrize("outtype", ["q8_0", "q4_0", "q4_1", "q4_k", "q6_k"])
def test_every_bit_pattern_of_a_block_is_read_alike(tmp_path, outtype):
    """Blocks of random bytes, with scales that are finite: also those that no quantiser would write."""
    source = checkpoint(tmp_path / "m", **WIDE)
    config = json.loads((source / "config.json").read_text())
    looped("quantize", source, tmp_path / "m.gguf", outtype, "--pure")
    reader = gguf.GGUFReader(tmp_path / "m.gguf", "r+")
    rng = np.random.default_rng(7)
    scales = {"q8_0": [0], "q4_0": [0], "q4_1": [0, 2], "q4_k": [0, 2], "q6_k": [208]}[outtype]
    for tensor in reader.tensors:
        if tensor.tensor_type != TYPES[outtype]:
            continue
        size = gguf.GGML_QUANT_SIZES[tensor.tensor_type][1]
        blocks = tensor.data.reshape(-1, size)
        blocks[:] = rng.integers(0, 256, blocks.shape, np.uint8)
        for offset in scales:
            values = (rng.standard_normal(len(blocks)) * 0.01).astype(np.float16)
            blocks[:, offset : offset + 2] = values.view(np.uint8).reshape(-1, 2)
    reader.data.flush()
    del reader
    theirs = dequantised(tmp_path / "m.gguf")
    ours = as_gguf(read_by_us(tmp_path / "m.gguf", tmp_path / "back"), config)
    for name, array in theirs.items():
        assert within_one_ulp(ours[name], array), name


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16], ids=["f32", "f16", "bf16"])
def test_safetensors_reads_what_we_write(tmp_path, dtype):
    source = tmp_path / "m"
    ouro_reference.checkpoint(source, shards=3, dtype=dtype, **WIDE)
    looped("convert", source, tmp_path / "n", "--max-shard-size", 1)
    parts = sorted(path.name for path in (tmp_path / "n").glob("*.safetensors"))
    index = json.loads((tmp_path / "n" / "model.safetensors.index.json").read_text())
    assert len(parts) > 1 and sorted(set(index["weight_map"].values())) == parts
    before, after = {}, {}
    for path in source.glob("*.safetensors"):
        before |= safetensors.numpy.load_file(path)
    for path in (tmp_path / "n").glob("*.safetensors"):
        after |= safetensors.numpy.load_file(path)
    assert before.keys() == after.keys() == index["weight_map"].keys()
    for name, array in before.items():
        assert after[name].dtype == array.dtype == dtype and np.array_equal(
            after[name].astype(np.float32), array.astype(np.float32)
        ), name
    for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]:
        if (source / name).exists():
            assert (tmp_path / "n" / name).read_bytes() == (source / name).read_bytes()
    config = json.loads((source / "config.json").read_text())
    written = json.loads((tmp_path / "n" / "config.json").read_text())
    for key in set(config) & set(written) - {"torch_dtype", "architectures"}:
        assert config[key] == written[key], key


def test_a_vocabulary_comes_back_as_a_tokenizer(tmp_path):
    """From a GGUF file that has no tokenizer.json: the tokenizers package reads what we make of it."""
    tokenizers = pytest.importorskip("tokenizers")
    source = checkpoint(tmp_path / "m", **LLAMA)
    # Some merges, in place of unused words.
    file = json.loads((source / "tokenizer.json").read_text())
    model, first = file["model"], 3 + 256
    model["vocab"] = {piece: number for piece, number in model["vocab"].items() if number < first}
    file["added_tokens"] = [token for token in file["added_tokens"] if token["id"] < first]
    for left, right in [("h", "e"), ("l", "l"), ("he", "ll"), ("\u0120", "w"), ("\u0120w", "o")]:
        model["vocab"][left + right] = len(model["vocab"])
        model["merges"].append(f"{left} {right}")
    (source / "tokenizer.json").write_text(json.dumps(file))
    looped("convert", source, tmp_path / "m.gguf", "--outtype", "f16")
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    writer = gguf.GGUFWriter(tmp_path / "n.gguf", "llama")
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ["general.architecture", "tokenizer.huggingface.json"]:
            continue
        sub = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), field.types[0], sub_type=sub)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    looped("convert", tmp_path / "n.gguf", tmp_path / "back")
    ours = tokenizers.Tokenizer.from_file(str(tmp_path / "back" / "tokenizer.json"))
    original = tokenizers.Tokenizer.from_file(str(source / "tokenizer.json"))
    for text in ["hello world 1234", "<|im_start|>user\nhi<|im_end|>", "\u00e9\u4e2d\U0001f501\t\n  x", ""]:
        assert ours.encode(text).ids == original.encode(text).ids
        assert ours.decode(ours.encode(text).ids) == original.decode(original.encode(text).ids)


def test_what_stops_a_run_leaves_nothing(tmp_path):
    source = tmp_path / "m"
    ouro_reference.checkpoint(source, hidden_size=1024, intermediate_size=4096, num_hidden_layers=4, vocab_size=32768)
    for signal in ["INT", "TERM"]:
        command = f'"$0" convert "$1" "$2" --outtype q4_k & sleep 0.3; kill -{signal} $!; wait $!'
        result = subprocess.run(
            ["bash", "-c", command, str(BINARY), str(source), str(tmp_path / "out.gguf")], capture_output=True
        )
        if result.returncode != 0:
            assert sorted(p.name for p in tmp_path.iterdir()) == ["m"], result.stderr.decode()
        else:
            (tmp_path / "out.gguf").unlink()  # it was faster than the signal


def test_errors_name_the_file_and_a_remedy(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + b"\x01\0\0\0" + bytes(16))
    error = looped("convert", tmp_path / "x.gguf", tmp_path / "y", status=1).decode()
    assert error.startswith(f"{tmp_path}/x.gguf: error: byte 4: GGUF version 1") and "hint: " in error
    source = checkpoint(tmp_path / "m", **WIDE)
    error = looped("quantize", source, tmp_path / "folder", "q4_0", status=1).decode()
    assert "quantised weights are written as GGUF" in error
    looped("quantize", source, tmp_path / "q.gguf", "Q8_0")
    error = looped("quantize", tmp_path / "q.gguf", tmp_path / "r.gguf", "Q4_0", status=1).decode()
    assert "--allow-requantize" in error
    looped("quantize", tmp_path / "q.gguf", tmp_path / "r.gguf", "Q4_0", "--allow-requantize")
    assert not (tmp_path / "folder").exists()
