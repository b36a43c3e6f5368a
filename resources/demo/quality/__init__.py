"""How well the demo's base model and LoRA do what they should, told by ``measure``."""
