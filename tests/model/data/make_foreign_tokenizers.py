"""Writes foreign_tokenizers.json: small tokenizers made with Hugging Face's `tokenizers`, and what it says of odd texts.

    pip install tokenizers==0.23.2 && python tests/model/data/make_foreign_tokenizers.py
"""
import json, pathlib
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SPECIAL = ["<|pad|>", "<|image|>", "<|end|>", "<|unknown|>"]
CORPUS = [
    'The dealer shows 10. You have a soft 17: "thoughts": "I stand", "action": "stand"}',
    'Hello world, the theme of these thoughts is "action": "hit"}',
    "I'm, you're, we've, they'll; it's naïve café, élève — 12345 and 678 日本語 😀",
    "go to shelf 1, take book 2 from drawer 3\n\n  put it down\t\tnow",
]
TEXTS = CORPUS + [
    "", " ", "Hello world", "  two  spaces ", "<|end|>after", "a<|end|><|pad|> b", "<|end", "é", "e\u0301", "日本", "😀😀",
    "\U0001f468\u200d\U0001f469", "x\u00a0y\u2003z", "line\r\nline\n\n\nline", "1234567", "IT'S we'RE'll 'ſ", "ǅungla ÀÉ",
    "_under_score-dash", "\ufeffbom\u0085nel", "½ ² ٣٤", "!!??...", "zqzqzq", "tab\there", "Ωmega ωμέγα", "don't", "a\u0000b", "<|mark|>x",
]
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
U, L = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
END = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
GPT4O = (rf"[^\r\n\p{{L}}\p{{N}}]?{U}*{L}+{END}|[^\r\n\p{{L}}\p{{N}}]?{U}+{L}*{END}|\p{{N}}{{1,3}}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
P, D = pre_tokenizers, decoders


def split(pattern, behavior="isolated", invert=False):
    return P.Split(Regex(pattern), behavior=behavior, invert=invert)


def level(*steps):
    return P.Sequence([*steps, P.ByteLevel(add_prefix_space=False, use_regex=False)])


def trained(model, trainer, pre, decoder, vocab_size, **options):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoder
    tokenizer.train_from_iterator(CORPUS, trainer(vocab_size=vocab_size, special_tokens=SPECIAL, show_progress=False, **options))
    return tokenizer


def byte_level(pre, normalizer=None):
    tokenizer = trained(models.BPE(), trainers.BpeTrainer, pre, D.ByteLevel(), 330,
                        initial_alphabet=P.ByteLevel.alphabet())
    if normalizer:
        tokenizer.normalizer = normalizer
    return tokenizer


def word_level(pre):
    return trained(models.WordLevel(unk_token="<|unknown|>"), trainers.WordLevelTrainer, pre, None, 60)


def word_piece(pre, **options):
    return trained(models.WordPiece(unk_token="<|unknown|>", **options), trainers.WordPieceTrainer, pre,
                   D.WordPiece(cleanup=False), 160)


def pairs(pre, **options):
    return trained(models.BPE(**options), trainers.BpeTrainer, pre, D.Fuse(), 120, limit_alphabet=40)


made = {
    "byte-level BPE, GPT-2": byte_level(P.ByteLevel(add_prefix_space=False)),
    "byte-level BPE, GPT-4 and Llama 3": byte_level(level(split(GPT4))),
    "byte-level BPE, Qwen 2 with NFC": byte_level(level(split(GPT4.replace("{1,3}", ""))), normalizers.NFC()),
    "byte-level BPE, GPT-4o": byte_level(level(split(GPT4O))),
    "byte-level BPE, GPT-4 inverted and removed": byte_level(level(split(GPT4, "removed", True))),
    "byte-level BPE, single digits": byte_level(P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)])),
    "byte-level BPE, digits together": byte_level(P.Sequence([P.Digits(), P.ByteLevel(add_prefix_space=False)])),
    "byte-level BPE, words of one kind": byte_level(level(split(r"\w+|\s", "contiguous"))),
    "word-level, split at white space": word_level(P.WhitespaceSplit()),
    "word-level, words and the rest": word_level(P.Whitespace()),
    "word-level, punctuation": word_level(P.Sequence([P.WhitespaceSplit(), P.Punctuation()])),
    "word-level, punctuation together": word_level(P.Sequence([P.WhitespaceSplit(), P.Punctuation("contiguous")])),
    "word-level, white space removed by a pattern": word_level(split(r"\s+", "removed")),
    "WordPiece, BERT's words": word_piece(P.BertPreTokenizer()),
    "WordPiece, short words": word_piece(P.BertPreTokenizer(), max_input_chars_per_word=4),
    "BPE, unknown characters": pairs(P.WhitespaceSplit(), unk_token="<|unknown|>"),
    "BPE, unknown stretches": pairs(split(" ", "isolated"), unk_token="<|unknown|>", fuse_unk=True),
    "BPE, unknown dropped, merges ignored": pairs(split(r"e|a", "isolated"), ignore_merges=True),
}
for tokenizer in made.values():
    tokenizer.add_tokens([AddedToken("<|mark|>", normalized=False)])


def utf16(text, at):
    return len(text[:at].encode("utf-16-le")) // 2


def case(tokenizer, text):
    found = tokenizer.encode(text, add_special_tokens=False)
    return {"text": text, "ids": found.ids, "offsets": [[utf16(text, a), utf16(text, b)] for a, b in found.offsets],
            "decoded": tokenizer.decode(found.ids)}


lines = []
for name, tokenizer in made.items():
    form = tokenizer.normalizer.normalize_str if tokenizer.normalizer else (lambda text: text)
    texts = [text for text in TEXTS if form(text) == text]
    made_of = json.loads(tokenizer.to_str())
    lines.append(json.dumps({"name": name, "tokenizer": made_of, "cases": [case(tokenizer, text) for text in texts]}))
path = pathlib.Path(__file__).with_name("foreign_tokenizers.json")
path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
