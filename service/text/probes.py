"""Probe texts: short, awkward texts over which an encoder's fingerprint is taken.

All were written for this purpose. Changing one changes every fingerprint: bundles must then be
packed again.
"""

PROBE_TEXTS: tuple[str, ...] = (
    "",
    " \t\r\n ",
    "One sentence.",
    "no capital letters here. and none here either. the third one ends without a stop",
    (
        "Dr. A. B. Marsh of Pine & Co. Inc. met the U.S. envoy at 6.30 p.m. on Friday. Nothing "
        "was agreed."
    ),
    'The minister said: "We are done." She then left. "Are you sure?" asked a reporter.',
    "(“It rained,” he wrote.) Then it stopped… or so they thought. Wait... what? No way!",
    (
        "LISBON (Wire) - The harbour reopened on Monday.\nBy A Staff Writer\n\nFerries run "
        "hourly again."
    ),
    (
        "MARKETS AT NOON\n\nShares rose 1.5%, led by banks.\n\n- oil: up 0.3%\n- gold: flat\n* "
        "copper: down"
    ),
    (
        "First line of a wrapped paragraph that goes\non over the next line and stops here.\nA "
        "second one."
    ),
    "Windows line ends.\r\nAre common in mail.\r\n\r\nAnd old ones\rtoo.",
    "Version 2.0.1 of tool.py is at example.org/a.b?c=d. Write to a.b@example.org by 3 p.m. today.",
    "He paid £1,250.75 (about $1.6m) i.e. a lot, vs. $900k a year ago. No. 5 was not sold.",
    "It is 5 a.m. in Oslo. It is 8 p.m. PST. Mr. and Mrs. Lind sleep.",
    "1. Mix the flour. 2. Add water. 3. Wait an hour. a) or two b) or three.",
    "Emoji end sentences 😀 sometimes 👩‍👩‍👧‍👦. Flags 🇳🇴 too! Skin tones 👍🏽 as well?",
    "שלום עולם. זה משפט שני. العربية من اليمين إلى اليسار. هل هذا سؤال؟ نعم.",
    "数据很多。第二句话！第三句？ 日本語の文です。次の文。",
    "Cafe\u0301 and café differ in code points. A\u030a ring. \u1e9b\u0323 is rare.",
    "Zero\u0000byte. Soft\u00adhyphen. No\u00a0break\u2009thin\u3000wide. \ufeffMark.",
    "Lone \ud800 surrogate. Another \udfff one.",
    "naïve façade, Ærøskøbing, Łódź, Straße, İstanbul, ﬁne ligature ﬀ.",
    "a" * 300 + ". " + "b" * 20 + ".",
    "!!! ??? ... --- ;;; ::: ,,, ((( ))) [[[ ]]]",
    "Ends with an abbreviation etc. Starts again. J. K. Holm wrote it. E. coli grew.",
    "Sen. Dole, R-Kan., spoke. Gov. Lee of Ark. did not. St. Ives is in Cornwall.",
    "“Double,” ‘single,’ «guillemets», „low“ and 'straight' quotes. ‘Yes.’ ‘No.’",
    "The year was 1999. In 2000, 1.2 million came. 3 left.",
    "the same words the same words the same words. the same words the same words.",
    " ".join(f"Sentence number {i} is here to make the text long." for i in range(60)),
)
