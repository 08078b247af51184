"""Which lines a patch touches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agenthub_worker.evidence.patch import file_patches, pages, touched_lines, unread

PATCH = """\
diff --git a/a b.py b/a b.py
index 1..2 100644
--- a/a b.py\t
+++ b/a b.py\t
@@ -1,3 +1,4 @@ def f():
 one
-two
+TWO
++++ b/no/file.py
 three
@@ -20 +21 @@
-old
+new
\\ No newline at end of file
diff --git a/old.py b/moved.py
similarity index 100%
rename from old.py
rename to moved.py
diff --git a/gone.py b/gone.py
deleted file mode 100644
--- a/gone.py
+++ /dev/null
@@ -1 +0,0 @@
-x
"""


def test_added_and_changed_lines_are_touched_and_a_line_that_looks_like_a_header_is_one_of_them() -> None:
    assert touched_lines(PATCH) == {"a b.py": {2, 3, 21}, "moved.py": set()}


def test_a_patch_falls_apart_into_its_files_and_nothing_is_left_out() -> None:
    files = file_patches(PATCH)
    assert [file.path for file in files] == ["a b.py", "moved.py", "gone.py"]
    assert "".join(file.text for file in files) == PATCH


@given(st.integers(min_value=30, max_value=400))
def test_the_pages_together_show_everything_and_each_alone_leaves_the_rest(limit: int) -> None:
    files = file_patches(PATCH)
    texts = {file.path: file.text for file in files}
    found = pages(files, limit)
    shown = ["".join(texts[s.path][s.start : s.end] for s in page) for page in found]
    assert "".join(shown) == PATCH
    assert all(0 < len(text) <= limit for text in shown)
    assert unread(files, [span for page in found for span in page], limit) == []
    for left_out in range(len(found)):
        seen = [span for number, page in enumerate(found) if number != left_out for span in page]
        assert unread(files, seen, limit)


def test_what_is_unread_is_named_by_file_page_and_hunk() -> None:
    files = file_patches(PATCH)
    seen = [span for page in pages(files, 4_000) for span in page if span.path != "a b.py"]
    assert unread(files, seen, 4_000) == ["a b.py, page 1 of 1: @@ -1,3 +1,4 @@, @@ -20 +21 @@"]


def test_binary_and_mode_changes_have_a_name_too() -> None:
    patch = (
        "diff --git a/x.png b/x.png\nindex 1..2 100644\nBinary files a/x.png and b/x.png differ\n"
        "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n"
    )
    assert [file.path for file in file_patches(patch)] == ["x.png", "run.sh"]
