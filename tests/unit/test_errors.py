"""The error tree in the docstring is the tree in the code."""

import inspect

from pixlake import errors


def test_every_error_is_in_the_docstrings_tree() -> None:
    classes = [name for name, value in vars(errors).items() if inspect.isclass(value)]
    assert all(f" {name} " in f" {errors.__doc__} ".replace("\n", " \n ") for name in classes)


def test_every_error_is_either_bad_input_or_passing_trouble() -> None:
    for value in vars(errors).values():
        if inspect.isclass(value) and value is not errors.PixlakeError:
            assert issubclass(value, errors.BadInput) != issubclass(value, errors.TransientError)


def test_a_refused_upload_carries_its_reason() -> None:
    error = errors.BadUpload("path_traversal", "a.zip: '../x'")
    assert (error.reason, str(error)) == ("path_traversal", "path_traversal: a.zip: '../x'")
