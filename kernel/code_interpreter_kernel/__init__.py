"""The Python side of code-interpreter: the kernels that run code, and the Jupyter Server that keeps them."""
