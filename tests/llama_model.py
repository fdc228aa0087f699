"""A model of random numbers in the GGUF format: llama architecture, one token for each byte, the ChatML template.

It answers nonsense, but as any model does: token by token, at the server's own pace.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

WIDTH, HEADS, LAYERS, FORWARD = 64, 4, 2, 128
SPECIAL = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")
# The template asks tools to be called within these; as special tokens they would not show in the text.
PLAIN = ("<tool_call>", "</tool_call>")
TEMPLATE = (
    "{%- for message in messages -%}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|im_start|>assistant\n{%- endif -%}"
)


def write_model(path: Path, *, context: int) -> None:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("random")
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_vocabulary(writer)
    _add_weights(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    kind = gguf.TokenType
    tokens = [(word, kind.CONTROL) for word in SPECIAL]
    tokens[0] = (SPECIAL[0], kind.UNKNOWN)
    tokens += [(f"<0x{byte:02X}>", kind.BYTE) for byte in range(256)]
    tokens += [(word, kind.USER_DEFINED) for word in PLAIN]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([word for word, _ in tokens])
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([type_ for _, type_ in tokens])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(4)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)


def _add_weights(writer: gguf.GGUFWriter) -> None:
    chance = np.random.default_rng(7)

    def random(*shape: int) -> np.ndarray:
        return (chance.standard_normal(shape) * 0.4).astype(np.float32)

    words = len(SPECIAL) + 256 + len(PLAIN)
    output = random(words, WIDTH)
    # What is never likely: special tokens, so that an answer ends only where it is told to; and bytes outside of
    # printable ASCII, of which a random row would make broken UTF-8.
    output[[at for at in range(words) if not 0x20 <= at - len(SPECIAL) < 0x7F]] = 0
    writer.add_tensor("token_embd.weight", random(words, WIDTH))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        writer.add_tensor(f"{block}.attn_norm.weight", np.ones(WIDTH, np.float32))
        writer.add_tensor(f"{block}.ffn_norm.weight", np.ones(WIDTH, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}.{name}.weight", random(WIDTH, WIDTH))
        writer.add_tensor(f"{block}.ffn_gate.weight", random(FORWARD, WIDTH))
        writer.add_tensor(f"{block}.ffn_up.weight", random(FORWARD, WIDTH))
        writer.add_tensor(f"{block}.ffn_down.weight", random(WIDTH, FORWARD))
