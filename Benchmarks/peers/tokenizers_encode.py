"""The package `tokenizers` on documents: tokenizers_encode.py --serve tokenizer.json documents.json"""

import json
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers
from served import serve

_, _, file, path = sys.argv
tokenizer = tokenizers.Tokenizer.from_file(file)
with open(path, encoding="utf-8") as documents:
    documents = json.load(documents)
count = 0


def encode():
    global count
    start = time.perf_counter()
    encodings = tokenizer.encode_batch(documents, add_special_tokens=False)
    seconds = time.perf_counter() - start
    count = sum(len(encoding.ids) for encoding in encodings)
    return seconds


serve({"tokenizers": tokenizers.__version__}, {"encode": encode, "count": lambda: count})
