"""How the demo's base checkpoint was made: drawings, VAE, text encoder, U-Net, one file."""
