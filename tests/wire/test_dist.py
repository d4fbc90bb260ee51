import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kioskd.wire.dist import assets, local_paths

VITE = """<!doctype html>
<html lang="sv"><head><meta charset="utf-8">
<link rel="icon" type="image/svg+xml" href="/vite.svg">
<script type="module" crossorigin src="/assets/index-DiwrgTda.js"></script>
<link rel="modulepreload" crossorigin href="/assets/vendor-8d1f.js">
<link rel="stylesheet" crossorigin href="/assets/index-n_ryQ3BS.css">
</head><body><div id="root"></div><img src="logo.png"></body></html>"""


def test_a_built_index_names_its_scripts_styles_icons_and_images():
    assert assets(VITE) == (
        "/vite.svg",
        "/assets/index-DiwrgTda.js",
        "/assets/vendor-8d1f.js",
        "/assets/index-n_ryQ3BS.css",
        "/logo.png",
    )


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<script src=a.js></script><script src=a.js>", ("/a.js",)),
        ("<script src='./a.js?v=3#x'>", ("/a.js",)),
        ("<script src='sm%C3%B6rg%20%C3%A5s.js'>", ("/smörg ås.js",)),
        ("<script src='&#97;.js?a&amp;b'>", ("/a.js",)),
        ("<script src=' \n/a\n.js\t'>", ("/a.js",)),
        ("<script src='..\\..\\a.js'>", ("/a.js",)),
        ("<SCRIPT SRC=A.js>", ("/A.js",)),
        ("<script src=first.js src=second.js>", ("/first.js",)),
        ("<base href=/app/><script src=a.js></script><img src=/b.png>", ("/app/a.js", "/b.png")),
        ("<base><base href=app/x><base href=/late/><script src=a.js>", ("/app/a.js",)),
        ("<base href=https://cdn.example/><script src=a.js></script><img src=/b.png>", ()),
        ("<base href='http://['><script src=a.js>", ()),
        ("<link rel='shortcut ICON' href=f.ico><link rel='alternate stylesheet' href=s.css>", ("/f.ico", "/s.css")),
        ("<link rel=canonical href=/c><link rel=preconnect href=/p><link href=/n><link rel=icon>", ()),
        ("<script>var x = '<img src=inside.png>'</script>", ()),
        ("<!-- <img src=a.png> --><!--[if IE]><img src=b.png><![endif]--><img src=c.png>", ("/c.png",)),
        ("<![if !IE]><img src=a.png><![endif]>", ("/a.png",)),
        ("<img src=a.png><![never closed", ("/a.png",)),
        ("<img src=https://other.example/a.png><img src=//other.example/b.png>", ()),
        ("<img src='data:image/gif;base64,R0'><img src=blob:x><img src=about:blank><img src=javascript:x>", ()),
        ("<img src=''><img src><img><script></script><img src=folder/>", ()),
        ("<img src='http://['><img src='http://x:99999999/'>", ()),
        ("<img src=a%00b.png><img src='\ud800.png'>", ()),
        ("<img src=%ff.png>", ("/\udcff.png",)),
        ("<img src=", ()),
        ("", ()),
    ],
)
def test_what_counts_as_a_local_asset(html, expected):
    assert assets(html) == expected


def test_an_asset_may_lie_below_the_base_path_it_is_served_under():
    assert local_paths("/app/assets/x.js") == ("app/assets/x.js", "assets/x.js", "x.js")


@pytest.mark.parametrize("asset", ["../../etc/passwd", "/../etc/passwd", "a/../../etc/passwd", "/./etc//passwd"])
def test_dots_cannot_leave_the_folder(asset):
    assert local_paths(asset)[0] == "etc/passwd"


@pytest.mark.parametrize("asset", ["", "/", "..", "/a/..", "."])
def test_no_name_is_nowhere(asset):
    assert local_paths(asset) == ()


PIECES = st.sampled_from(
    ["<", ">", "<!", "<![", "<!--", "-->", "]]>", "<?", "</", "<script", "<link rel=icon", "<img", "<base", " src=", " href=",
     "'", '"', "=", "http://", "//", "..", "/", "\\", "%2e%2e", "%00", "%", "[", "]", "@", ":", "&", "&#x0;", "\0", "\n", "a", " "]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
@example("<![foo[")
@example("<!DOCTYPE [<!ENTITY")
def test_no_garbage_hurts_and_nothing_leaves_the_folder(html):
    for asset in assets(html):
        asset.encode("utf-8", "surrogateescape")
        for path in local_paths(asset):
            inside = posixpath.normpath(posixpath.join("/dist", path))
            assert inside == "/dist/" + path and "\0" not in path
