from code_interpreter_kernel.ipython import configure

configure(get_config())  # noqa: F821
