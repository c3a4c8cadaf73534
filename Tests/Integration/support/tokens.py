"""The token of servers that ask for one."""

TOKEN = "k3y-for+the/tests=" + 14 * "0"


def token_file(directory, content=TOKEN + "\n", mode=0o600):
    """A file for --token-file, with this mode."""
    path = directory / "token"
    path.write_text(content)
    path.chmod(mode)
    return path
