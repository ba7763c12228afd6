"""Write a trained checkpoint as a Hugging Face Glm4v directory: the files that transformers and glyph load.

Run: python3 export.py CHECKPOINT.pt TOKENIZER.json OUT_DIR   (needs torch, safetensors, tokenizers)
"""
import json
import os
import shutil
import sys

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from model import Config

MAX_POSITIONS = 32768


def config_json(c, tokenizer):
    tid = tokenizer.token_to_id
    return {
        'architectures': ['Glm4vForConditionalGeneration'],
        'model_type': 'glm4v',
        'dtype': 'bfloat16',
        'scripts': ['Latin'],
        'page_dpi': 96,
        'image_start_token_id': tid('<|begin_of_image|>'), 'image_end_token_id': tid('<|end_of_image|>'),
        'video_start_token_id': tid('<|begin_of_video|>'), 'video_end_token_id': tid('<|end_of_video|>'),
        'image_token_id': tid('<|image|>'), 'video_token_id': tid('<|video|>'),
        'tie_word_embeddings': False,
        'text_config': {
            'model_type': 'glm4v_text', 'vocab_size': c.vocab, 'hidden_size': c.hidden, 'intermediate_size': c.intermediate,
            'num_hidden_layers': c.layers, 'num_attention_heads': c.heads, 'num_key_value_heads': c.kv_heads, 'hidden_act': 'silu',
            'max_position_embeddings': MAX_POSITIONS, 'rms_norm_eps': c.eps, 'attention_bias': True, 'attention_dropout': 0.0,
            'eos_token_id': [tid('<|endoftext|>'), tid('<|user|>')], 'pad_token_id': tid('<|endoftext|>'),
            'rope_parameters': {'rope_type': 'default', 'rope_theta': c.rope_theta, 'partial_rotary_factor': 0.5, 'mrope_section': list(c.sections)},
        },
        'vision_config': {
            'model_type': 'glm4v_vision', 'depth': c.vision_depth, 'hidden_size': c.vision_hidden, 'num_heads': c.vision_heads,
            'intermediate_size': c.merger, 'out_hidden_size': c.hidden, 'image_size': c.table * 14, 'patch_size': 14, 'temporal_patch_size': 2,
            'spatial_merge_size': 2, 'in_channels': 3, 'hidden_act': 'silu', 'rms_norm_eps': c.eps, 'attention_bias': False,
            'attention_dropout': 0.0, 'rope_parameters': {'rope_type': 'axial', 'rope_theta': c.vision_theta},
        },
    }


CHAT_TEMPLATE = """[gMASK]<sop>
{%- for message in messages -%}
<|{{ message.role }}|>{{ '\\n' }}
{%- if message.content is string -%}{{ message.content }}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}<|begin_of_image|><|image|><|end_of_image|>
{%- elif part.type == 'text' -%}{{ part.text }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{{ '\\n' }}{%- endif -%}
"""


def published_state(state):
    """Names and shapes of transformers: the grey patch embedding spread over three channels and two frames."""
    out = {}
    for name, value in state.items():
        if name.startswith('aux_head'):
            continue
        if name == 'model.visual.patch_embed.proj.weight':
            value = (value.float() / 6).view(-1, 1, 1, 14, 14).expand(-1, 3, 2, 14, 14)
        out[name] = value.to(torch.bfloat16).contiguous()
    return out


def trained_state(directory):
    """The reverse of published_state: parameters of model.Glyph, without the auxiliary head, from an exported directory."""
    state = {k: v.float() for k, v in load_file(directory + '/model.safetensors').items()}
    name = 'model.visual.patch_embed.proj.weight'
    state[name] = state[name][:, 0, 0].flatten(1) * 6
    return state


def write_json(path, value):
    with open(path, 'w') as f:
        json.dump(value, f, indent=1, ensure_ascii=False)
        f.write('\n')


def export(state, tokenizer_path, out, config=None):
    os.makedirs(out, exist_ok=True)
    c = config or Config()
    tokenizer = Tokenizer.from_file(tokenizer_path)
    tid = tokenizer.token_to_id
    write_json(out + '/config.json', config_json(c, tokenizer))
    write_json(out + '/generation_config.json', {
        'do_sample': False, 'eos_token_id': [tid('<|endoftext|>'), tid('<|user|>')], 'pad_token_id': tid('<|endoftext|>'),
        'max_new_tokens': 4096, 'temperature': 1.0, 'top_k': 1, 'top_p': 1.0, 'repetition_penalty': 1.0})
    write_json(out + '/preprocessor_config.json', {
        'image_processor_type': 'Glm4vImageProcessor', 'processor_class': 'Glm4vProcessor', 'do_resize': True, 'resample': 3, 'do_rescale': True,
        'rescale_factor': 1 / 255, 'do_normalize': True, 'image_mean': [1.0, 1.0, 1.0], 'image_std': [0.5, 0.5, 0.5], 'do_convert_rgb': True,
        'patch_size': 14, 'temporal_patch_size': 2, 'merge_size': 2, 'size': {'shortest_edge': 784, 'longest_edge': 28 * 28 * 15000}})
    write_json(out + '/tokenizer_config.json', {
        'tokenizer_class': 'PreTrainedTokenizerFast', 'eos_token': '<|endoftext|>', 'pad_token': '<|endoftext|>', 'model_max_length': MAX_POSITIONS,
        'clean_up_tokenization_spaces': False, 'image_token': '<|image|>', 'video_token': '<|video|>'})
    open(out + '/chat_template.jinja', 'w').write(CHAT_TEMPLATE)
    shutil.copyfile(tokenizer_path, out + '/tokenizer.json')
    save_file(published_state(state), out + '/model.safetensors', metadata={'format': 'pt'})


if __name__ == '__main__':
    beside = os.path.dirname(sys.argv[1]) + '/config.json'
    changed = json.load(open(beside)) if os.path.exists(beside) else {}
    export(torch.load(sys.argv[1], map_location='cpu'), sys.argv[2], sys.argv[3], Config(**changed))
