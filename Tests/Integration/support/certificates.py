"""Certificates for tests, made with the openssl command."""

import subprocess

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """A certificate authority, and a server's certificate and key by it."""

    def __init__(self, directory):
        self.directory = directory
        self.certificate = directory / "authority.pem"
        self.server_certificate = directory / "server.pem"
        self.server_key = directory / "server.key"
        self._run("req", "-x509", *NEW_KEY, "-keyout", "authority.key", "-out", "authority.pem", "-days", "2", "-subj", "/CN=Tests")
        self.issue()

    def issue(self, names="DNS:localhost,IP:127.0.0.1"):
        """Makes a new certificate for these names, in the place of the last one."""
        self._run("req", *NEW_KEY, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=Server")
        (self.directory / "names").write_text(f"subjectAltName={names}")
        self._run("x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
                  "-days", "2", "-extfile", "names", "-out", "server.pem")  # fmt: skip
        self.server_key.chmod(0o600)

    def encrypt_key(self):
        """Protects the server's key by a passphrase."""
        self._run("pkey", "-in", "server.key", "-aes256", "-passout", "pass:secret", "-out", "server.key.new")
        (self.directory / "server.key.new").rename(self.server_key)

    def fingerprint(self):
        """The SHA-256 of the server's public key, in base64: what Chromium calls an SPKI hash."""
        public = self._run("x509", "-in", "server.pem", "-pubkey", "-noout")
        der = self._run("pkey", "-pubin", "-outform", "der", data=public)
        digest = self._run("dgst", "-sha256", "-binary", data=der)
        return self._run("base64", data=digest).decode().strip()

    @property
    def options(self):
        """What makes a server show the certificate."""
        return ["--tls-certificate", self.server_certificate, "--tls-key", self.server_key]

    def _run(self, *arguments, data=None):
        done = subprocess.run(["openssl", *arguments], cwd=self.directory, input=data, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout
