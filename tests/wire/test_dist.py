import posixpath
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kioskd.wire.dist import assets, local_paths
from kioskd.wire.markup import tags

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
        ("<base href='http://['><script src=a.js>", ("/a.js",)),
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
        ("<img src='a.png", ()),
        ("<img src=a.png", ()),
        ("<img src=a.png/>", ()),
        ("<img alt='>' src=a.png><img alt=''src='b.png'>", ("/a.png", "/b.png")),
        ("<img\fsrc\n=\r'a.png'/ALT><img/src=b.png><img =src=x.png><img src>", ("/a.png", "/b.png")),
        ("", ()),
    ],
)
def test_what_counts_as_a_local_asset(html, expected):
    assert assets(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<img srcset='a.png 1x,b.png 2x, c,d.png,e.png 3w'>", ("/a.png", "/b.png", "/c,d.png,e.png")),
        ("<source srcset=' ,, a.png,\tb.png ,,'><img srcset=', ,'><img srcset>", ("/a.png", "/b.png")),
        ("<img srcset='data:image/png;base64,AAAA 1x, a.png 2x'>", ("/a.png",)),
        ("<video src=a.mp4 poster=b.png></video><audio src=c.mp3></audio>", ("/a.mp4", "/b.png", "/c.mp3")),
        ("<source src=a.mp4><track src=b.vtt><input src=c.png><embed src=d.svg><object data=e.svg>",
         ("/a.mp4", "/b.vtt", "/c.png", "/d.svg", "/e.svg")),
        ("<svg><use href=a.svg#x /><use xlink:href=b.svg#y /><image href=c.png /></svg><use href=#x>", ("/a.svg", "/b.svg", "/c.png")),
        ("<svg><image xlink:href=a.png>", ("/a.png",)),
        ("<link rel=preload as=image imagesrcset='a.png 1x, b.png 2x' href=c.png>", ("/c.png", "/a.png", "/b.png")),
        ("<link rel=preload as=FETCH href=a.json><link rel='preload icon' as=fetch href=b.png>", ("/b.png",)),
        ("<link rel=prefetch href=a.js><link rel=mask-icon href=b.svg><link rel=dns-prefetch href=//x.example>", ()),
        ("<astro-island component-url=/a.js renderer-url=/b.js before-hydration-url=/c.js>", ("/a.js", "/b.js", "/c.js")),
        ("<script id=vite-legacy-entry nomodule data-src=/a.js></script><iframe src=a.html></iframe><a href=b.html>", ()),
        ("<img src=/api/snapshot><script src=/config?v=1.2></script><img src=v1.2/live>", ()),
        (f"<img src='data:image/png;base64,{'A' * 99_999}'><img src=a.png?{'b' * 20_000}><img src=c.png>", ("/c.png",)),
        (f"<img src='&#{'1' * 5000}.png'><img src='&#x{'1' * 5000}.png'>", ("/\ufffd.png",)),
    ],
)  # fmt: skip
def test_what_else_a_bundler_names(html, expected):
    assert assets(html) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"imports": {"x": "/a.js", "y": "./b.js", "z": "../c.js", "f/": "/f/"}}', ("/a.js", "/b.js", "/c.js")),
        ('{"imports": {"x": "bare.js", "y": null, "z": "https://cdn.example/d.js"}, "scopes": {}}', ()),
        ('{"imports": ["/a.js"]}', ()),
        ('["/a.js"]', ()),
        ("{", ()),
        ("[" * 100_000, ()),
        ("9" * 5000, ()),
    ],
)
def test_what_an_import_map_names(text, expected):
    assert assets(f"<script type='ImportMap'>{text}</script>") == expected
    assert assets(f"<script type=application/json>{text}</script>") == ()


@pytest.mark.parametrize("name", ["iframe", "noembed", "noframes", "noscript", "script", "style", "textarea", "title", "xmp"])
def test_in_some_elements_there_are_no_tags(name):
    assert assets(f"<{name}><img src=a.png><!-- </{name}s></{name.upper()} ><img src=b.png>") == ("/b.png",)
    assert assets(f"<{name}/><img src=a.png></{name}/><img src=b.png>") == ("/b.png",)
    assert assets(f"</{name}><img src=a.png>") == ("/a.png",)
    assert assets(f"<{name}><img src=a.png></{name}") == ()


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<svg><title/><img src=a.png></svg>", ("/a.png",)),
        ("<math><style/><img src=a.png></math>", ("/a.png",)),
        ("<svg></svg><title/><img src=a.png>", ()),
        ("<svg/><title/><img src=a.png>", ()),
        ("</svg><svg><style/><img src=a.png>", ("/a.png",)),
        ("<svg><svg></svg><title/><img src=a.png></svg>", ("/a.png",)),
        ("<svg><style>/* <img src=a.png> */</style><img src=b.png>", ("/b.png",)),
        ("<template><img src=a.png><template></template><img src=b.png></template><img src=c.png>", ("/c.png",)),
        ("</template><template><img src=a.png></template><img src=b.png>", ("/b.png",)),
        ("<template><script></template><img src=a.png></script></template><img src=b.png>", ("/b.png",)),
        ("<template><base href=/x/></template><img src=a.png>", ("/a.png",)),
        ("<!-->--><img src=a.png>--><!---><img src=b.png>", ("/a.png", "/b.png")),
        ("<!--><img src=a.png><!--!><img src=b.png>--!><img src=c.png><!-- <img src=d.png>", ("/a.png", "/c.png")),
        ("<!-><img src=a.png><?x ><img src=b.png></1 ><img src=c.png></><img src=d.png>", ("/a.png", "/b.png", "/c.png", "/d.png")),
        ("<! '><img src=a.png><1 '><img src=b.png>< img src=c.png><", ("/a.png", "/b.png")),
        ("<p title='<img src=a.png>'></p title='<img src=b.png>'><p title=\"'<img src=c.png>\">", ()),
        ("<img src=a.png><!x", ("/a.png",)),
        ("1 < 2 <<img src=a.png></img src=b.png>", ("/a.png",)),
        ("<!x <img src=a.png>><?y <img src=b.png>></3 <img src=c.png>><img src=d.png>", ("/d.png",)),
    ],
)
def test_what_is_a_tag_and_what_only_looks_like_one(html, expected):
    assert assets(html) == expected


def test_of_a_tag_only_what_is_asked_for_is_kept():
    assert [tag.given for tag in tags("<a b=1 C=2 c=3 d><e>", {"c", "d"})] == [{"c": "2", "d": ""}, {}]


def test_an_asset_may_lie_below_the_base_path_it_is_served_under():
    assert local_paths("/app/assets/x.js") == ("app/assets/x.js", "assets/x.js", "x.js")


def test_a_front_end_is_not_served_under_ever_so_many_folders():
    assert len(local_paths("/a" * 500_000)) == 9 and local_paths("/1/2/3/4/5/6/7/8/x.js")[-1] == "x.js"


@pytest.mark.parametrize("asset", ["../../etc/passwd", "/../etc/passwd", "a/../../etc/passwd", "/./etc//passwd"])
def test_dots_cannot_leave_the_folder(asset):
    assert local_paths(asset)[0] == "etc/passwd"


@pytest.mark.parametrize("asset", ["", "/", "..", "/a/..", "."])
def test_no_name_is_nowhere(asset):
    assert local_paths(asset) == ()


PIECES = (
    ["<", ">", "<!", "<![", "<!--", "-->", "]]>", "<?", "</", "<script", "<link rel=icon", "<img", "<base", " src=", " href=", " srcset=",
     "'", '"', "=", "http://", "//", "..", ".", "/", "\\", "%2e%2e", "%00", "%", "[", "]", "@", ":", "&", "&#x0;", "\0", "\n", "a", " ",
     ",", "<svg", "<template", "</template>", "<title", "</script>", " type=importmap", '{"imports":{"a":"/', '"}}', "a/", "&#1"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
@example("<![foo[")
@example("<!DOCTYPE [<!ENTITY")
def test_no_garbage_hurts_and_nothing_leaves_the_folder(html):
    for asset in assets(html):
        asset.encode("utf-8", "surrogateescape")
        for path in local_paths(asset):
            inside = posixpath.normpath(posixpath.join("/dist", path))
            assert inside == "/dist/" + path and "\0" not in path


@pytest.mark.parametrize("before", ["", "<img src='", "<img srcset='", "<img alt='", "<script>", "<script type=importmap>", "<a "])
def test_no_garbage_takes_its_time(before):
    """What a parser goes back for costs minutes already at this length; the longest index is forty times as long."""
    began = time.thread_time()
    for piece in (*PIECES, "<a", "<a ", "<a b='", "<a b=", "<script>", "<script></", "</script", "<svg>", "<template>", ", ", "a ,", "../"):
        text = before + piece * (100_000 // len(piece))
        for asset in assets(text):
            local_paths(asset)
    assert time.thread_time() - began < 30
