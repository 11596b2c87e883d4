"""GFLA, its discriminators, its ablation variants and the authors' checkpoints."""
