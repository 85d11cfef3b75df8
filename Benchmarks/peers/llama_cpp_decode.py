"""Decoding and prefill in llama.cpp with random weights of a given shape: the peer of `looped bench --random`.

    python3 Benchmarks/peers/llama_cpp_decode.py --type q8_0 [--loops 4] [--tokens 32] [--prompt 512] [--threads 2]

llama.cpp has no Ouro, but a looped architecture of the same kind (Nanbeige: layers applied `num_loops` times, keys and
values for each loop and layer). A model of that architecture with Ouro's shape stands for it; it lacks Ouro's two
output norms a layer and the gate, which cost next to nothing. The file goes to a temporary folder and is deleted.
Needs the packages llama-cpp-python and gguf.
"""

import argparse
import ctypes
import json
import pathlib
import resource
import tempfile
import time

import gguf
import llama_cpp
import numpy as np

from served import serve

HIDDEN, HEADS, INNER, VOCABULARY = 2048, 16, 5632, 49152
# Bytes of a block of 32 weights, where its scale (f16) stands, and what the scale is.
BLOCKS = {"q8_0": (34, 0.001), "q4_0": (18, 0.02)}
TYPES = {name: getattr(gguf.GGMLQuantizationType, name.upper()) for name in ("q8_0", "q4_0", "bf16", "f16")}
FILE_TYPES = dict(q8_0=7, q4_0=2, bf16=32, f16=1)


def matrix(rng, rows, columns, kind):
    """Random weights as they lie in the file."""
    if kind in BLOCKS:
        size, scale = BLOCKS[kind]
        bytes_ = rng.integers(0, 256, (rows, columns // 32, size), dtype=np.uint8)
        bytes_[..., :2] = np.frombuffer(np.float16(scale).tobytes(), np.uint8)
        return bytes_.reshape(rows, -1)
    values = rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(np.sqrt(columns))
    if kind == "f16":
        return values.astype(np.float16)
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def write(path, layers, loops, kind):
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "nanbeige")
    writer.add_uint32("nanbeige.num_loops", loops)
    writer.add_bool("nanbeige.skip_loop_final_norm", False)
    writer.add_block_count(layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_vocab_size(VOCABULARY)
    writer.add_file_type(FILE_TYPES[kind])
    writer.add_tokenizer_model("no_vocab")

    def add(name, rows, columns):
        data = matrix(rng, rows, columns, kind)
        # GGUFWriter takes whole blocks as bytes if it is told their type.
        writer.add_tensor(name, data, raw_dtype=TYPES[kind])

    add("token_embd.weight", VOCABULARY, HIDDEN)
    add("output.weight", VOCABULARY, HIDDEN)
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, np.float32))
    for i in range(layers):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{i}.{name}.weight", np.ones(HIDDEN, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{i}.{name}.weight", HIDDEN, HIDDEN)
        for name in ("ffn_gate", "ffn_up"):
            add(f"blk.{i}.{name}.weight", INNER, HIDDEN)
        add(f"blk.{i}.ffn_down.weight", HIDDEN, INNER)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--type", choices=TYPES, default="q8_0")
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--loops", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help="measure once for every line read: 'decode' or 'prefill'")
    options = parser.parse_args()
    # The callback must outlive the library's use of it.
    silence = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silence, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "random.gguf"
        write(path, options.layers, options.loops, options.type)
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 0
        begin = time.perf_counter()
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        load = time.perf_counter() - begin
    if not model:
        raise SystemExit("llama.cpp refused the model")
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx, settings.n_batch, settings.n_ubatch = 2048, 512, 512
    settings.n_threads = settings.n_threads_batch = options.threads
    context = llama_cpp.llama_init_from_model(model, settings)

    def run(tokens):
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(tokens))) != 0:
            raise SystemExit("llama.cpp could not decode")
        llama_cpp.llama_synchronize(context)

    def clear():
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)

    def decode():
        clear()
        run([1] * 16)
        begin = time.perf_counter()
        for i in range(options.tokens):
            run([i + 2])
        return (time.perf_counter() - begin) / options.tokens

    def prefill():
        clear()
        begin = time.perf_counter()
        run(list(range(options.prompt)))
        return time.perf_counter() - begin

    run([1] * 16)
    measures = dict(decode=decode, prefill=prefill)
    about = dict(version=llama_cpp.__version__, type=options.type, layers=options.layers, loops=options.loops, load=load)
    if options.serve:
        return serve(about, measures)
    about |= {name: [measure() for _ in range(options.repeats)] for name, measure in measures.items()}
    about["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(about))


if __name__ == "__main__":
    main()
