import pytest

# The suite's own asserts explain themselves like those of a test module.
pytest.register_assert_rewrite("ipaas.testing.store_conformance")
