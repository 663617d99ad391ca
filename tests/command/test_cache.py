"""Where things are kept that can be got again."""

from amseg_keras.command.dataset import cache_folder


def test_the_cache_is_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("AMSEG_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_without_the_variable_it_is_in_the_users_cache(monkeypatch):
    monkeypatch.delenv("AMSEG_CACHE", raising=False)
    assert cache_folder().name == "amseg-keras"
