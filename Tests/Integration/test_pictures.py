"""Pictures of PIL: those that are saved, shown, or the value of a cell."""

import base64
import struct

import pytest

pytestmark = pytest.mark.backends("any")

PICTURE = "from PIL import Image\npicture = Image.new('RGB', (3, 2), 'red')\n"


SIZE = (3, 2)


def size_of(png):
    """Of a PNG's header (RFC 2083, section 4.1.1)."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def size_shown(result):
    return size_of(base64.b64decode(result["png"]))


@pytest.mark.parametrize(
    "code",
    ["picture.save('saved.png')", "picture.save('saved.jpg', quality=90)", "import pathlib\npicture.save(pathlib.Path('saved.png'))", "picture.show()", "display(picture)"],
)
def test_a_picture_is_shown_once(run, code):
    [result] = run(PICTURE + code).succeeded().results
    assert (size_shown(result), result["is_main_result"]) == (SIZE, False)


def test_a_picture_is_saved(run, workspace):
    assert run(PICTURE + "picture.save('saved.png')\nprint('then')").succeeded().stdout == "then\n"
    assert size_of((workspace / "saved.png").read_bytes()) == SIZE


def test_a_picture_as_the_value(run):
    [result] = run(PICTURE + "picture").succeeded().results
    assert (size_shown(result), result["is_main_result"]) == (SIZE, True)


def test_what_is_not_saved_under_a_name_is_not_shown(run):
    assert not run(PICTURE + "import io\npicture.save(io.BytesIO(), 'png')\nwith open('file.png', 'wb') as file: picture.save(file)").succeeded().results
    # Nor what fails to be.
    execution = run(PICTURE + "picture.save('saved.unknown')")
    assert (execution.error["name"], execution.results) == ("ValueError", [])


def test_a_figure_that_is_saved_is_shown_by_itself(run):
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('figure.png')\n"
    [result] = run(f"{code}plt.show()").succeeded().results
    assert result["chart"]["type"] == "line"
    assert not run(f"{code}plt.close()").succeeded().results


def test_of_many_saved_pictures_some_are_shown(run):
    code = PICTURE + "for number in range(50): picture.save(f'{number}.png')"
    for _ in range(2):
        assert len(run(code).succeeded().results) == 20
    assert not run("from PIL import Image\nImage.new('1', (5000, 5000)).save('large.png')").succeeded().results


def test_a_picture_of_a_type_that_is_no_png_is_saved(run):
    run("from PIL import Image\nImage.new('F', (2, 2)).save('floats.tiff')").succeeded()


def test_forked_processes_save(run):
    code = PICTURE + """
import multiprocessing
def save(number): picture.save(f'{number}.png')
with multiprocessing.get_context('fork').Pool(2) as pool: pool.map(save, range(4))
import os; print(sorted(name for name in os.listdir() if name.endswith('.png')))
"""
    execution = run(code).succeeded()
    assert (execution.stdout, execution.results) == ("['0.png', '1.png', '2.png', '3.png']\n", [])


@pytest.mark.backends("local")
def test_pil_that_is_not_loaded_before(start_server):
    server = start_server("--preload", "")
    execution = server.client.execute("import sys; print('PIL.Image' in sys.modules)\n" + PICTURE + "picture.save('saved.png'); picture.show()").succeeded()
    assert (execution.stdout, [size_shown(result) for result in execution.results]) == ("False\n", [SIZE, SIZE])
