"""`keepwarm` for shell examples, each a fork of one process that has imported all it needs.

Starting Python and importing takes three seconds of a command; a fork takes hundredths of one. What a command is given
and what it does is what it would be on its own: arguments, folder, environment, streams, exit status, end of process.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name
from tempfile import mkdtemp

CLIENT = """#!{python} -IS
import json, os, socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect({address!r})
socket.send_fds(asked, [b"x"], [0, 1, 2])
asked.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
asked.shutdown(socket.SHUT_WR)
status = int(asked.recv(16) or 70)
if status == 70:  # nothing said: whoever ran the command is dead
    print(open({log!r}).read(), file=sys.stderr)
sys.exit(status)
"""


@contextmanager
def forked_keepwarm(project: Path, folder: Path) -> Iterator[Path]:
    """Put a program `keepwarm` into `folder`, good for the time of the context, that runs the `sim` of a project."""
    short = mkdtemp()  # the path of a socket may have a hundred characters
    address, program, log = f"{short}/socket", folder / "keepwarm", folder / "log"
    program.write_text(CLIENT.format(python=sys.executable, address=address, log=str(log)))
    program.chmod(0o755)
    # Threads do not survive a fork: numpy's library of linear algebra is to make none.
    env = os.environ | {"PYTHONPATH": str(project), "PYTHONWARNINGS": "default", "OPENBLAS_NUM_THREADS": "1"}
    with log.open("wb") as said:
        command = [sys.executable, __file__, address]
        server = subprocess.Popen(command, cwd=project, env=env, stdout=subprocess.PIPE, stderr=said)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n", log.read_text()
        assert log.read_text() == ""  # no warning of anything imported
        yield program
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()
        shutil.rmtree(short)


def serve(address: str) -> None:
    """Fork for every command asked for: returns in the process that is to run it, and never in any other."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            asked, _ = listening.accept()
            with asked:
                if os.fork() == 0 and _told(asked):
                    return
            while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG):
                pass


def _told(asked: socket.socket) -> bool:
    """Tell how a command ended that runs in a fork of this process; True in that one."""
    _, streams, _, _ = socket.recv_fds(asked, 1, 3)
    with asked.makefile() as words:
        arguments, folder, environment = json.load(words)
    process = os.fork()
    if process:
        _, status = os.waitpid(process, 0)
        code = os.waitstatus_to_exitcode(status)
        asked.sendall(str(code if code >= 0 else 128 - code).encode())
        os._exit(0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path not in known]
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["keepwarm", *arguments]
    return True


if __name__ == "__main__":
    from sim import cli, cli_traces

    del sys.path[0]  # this folder, which no command sees
    for place in (*cli.COMMANDS.values(), *cli_traces.COMMANDS.values()):
        resolve_name(place)
    for late in ("scipy.stats", "sim.report.report", "sim.report.trace_figures"):  # of what they import when it is used
        resolve_name(late)

    serve(sys.argv[1])
    sys.exit(cli.main())
