"""Texts that the page must be able to show."""

NEWS = (
    "The harbour of Port Ellin reopened on Monday after six weeks of repairs. Fishing boats left "
    "before dawn, and the first ferry followed at nine. The January storm had torn away forty "
    "metres of the northern breakwater.\n\nEngineers filled the gap with 3,000 concrete blocks, "
    "some brought from as far as Norway. The work cost 2.1 million pounds, a third more than "
    "planned. Mayor Ida Strand called it money well spent. Some shop owners disagree: they lost "
    "the whole spring season. The council will decide in June whether to pay them damages."
)

HOSTILE = (
    "<img src=x onerror=\"document.title='broken'\"> said the mayor of the harbour town. "
    "</span></main><script>document.title='broken'</script> was the answer of the council. "
    "The ferry left at <b>noon</b> & the storm came &amp; went &lt;at&gt; night."
)
ODD = (
    "The ferry \U0001f6a2 left the \U0001f468\u200d\U0001f469\u200d\U0001f467 harbour. "
    "A lone \ud83d surrogate was on board. The \0 mayor said no.\n"
    "המעבורת יצאה מהנמל. "
    "\u202eA storm came over the bridge.\u202c The end \U0001f30a came."
)
"""Emoji, a lone surrogate, NUL, right-to-left text and an override of direction."""
