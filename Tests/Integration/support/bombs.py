"""Code that takes what it can get. The benchmarks use this file as well."""

LIMITS = {"memory_limit": 256 << 20, "process_limit": 64, "disk_limit": 64 << 20}
"""What its context may use."""

BOMBS = {
    "fork": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "shell": "import subprocess\nsubprocess.run(['bash', '-c', 'bomb() { bomb | bomb & }; bomb; while :; do :; done'])",
    "memory": "kept = []\nwhile True:\n    try: kept.append(bytearray(1 << 20))\n    except MemoryError: pass",
    "memory of programs": "import subprocess, sys\nwhile True: subprocess.run([sys.executable, '-c', 'x = b\"x\" * (1 << 30)'], stderr=-3)",
    "disk": "n = 0\nwhile True:\n    with open(f'bomb-{n % 1000}', 'wb') as file: file.write(bytes(4 << 20))\n    n += 1",
    "descriptors": "import os\nkept = []\nwhile True:\n    try: kept.append(os.open('/dev/null', 0))\n    except OSError: pass",
    "output": "while True: print('x' * 1000)",
    "threads": "import threading, time\nwhile True:\n    try: threading.Thread(target=time.sleep, args=(60,)).start()\n    except RuntimeError: pass",
}
"""Each goes on until it is ended."""
