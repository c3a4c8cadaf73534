print("code-interpreter")
