"""English words that decide sentence boundaries, where British news does not teach them.

British papers print "Mr" and "Ltd" without a period, so Punkt cannot learn there that "Mr." is an
abbreviation.
"""

_TITLES = """
    adm brig capt cmdr col cpl cpt det dr fr gen gov hon insp lt maj messrs mr mrs ms pfc pres prof
    pvt rep reps rev sen sens sgt spc supt drs"""
_NAMES = "jr sr st ste mt ft jos wm"
_COMPANIES = "assn assoc bros co corp dept dist inc ltd mfg univ"
_PLACES = """
    ariz ave blvd calif colo conn d.c fla ga hwy ky md mich minn n.c n.d n.h n.j n.m n.y neb nev
    okla pa penn rd s.c s.d sq tenn tex u.a.e u.k u.n u.s u.s.a va vt w.va wis wyo"""
_TIMES = "a.d a.m b.c p.m jan feb aug sept oct nov dec"
_LATIN = "a.k.a al ca cf e.g etc i.e ibid seq viz vs v c p.s"
_DEGREES = "b.a b.sc d.phil j.d m.a m.d m.p m.sc ph.d"
_MEASURES = "approx cm hr hrs kg km lb lbs misc mph oz tel yr yrs"
_BOOKS = "ed eds op pp trans vol vols"

_ALL = (_TITLES, _NAMES, _COMPANIES, _PLACES, _TIMES, _LATIN, _DEGREES, _MEASURES, _BOOKS)
ABBREVIATIONS = frozenset(word for kind in _ALL for word in kind.split())
"""Lower-cased, without the final period. Common words such as "no" and "ill" are left out."""

_FUNCTION_WORDS = """
    a after all also although an and another are as at because before both but by did do does during
    each even every few finally first for from had has have he her here his how however i if in
    indeed instead is it its just last later many maybe meanwhile more moreover most my nevertheless
    no nobody not nothing now of on once one only or other others our over perhaps please she since
    so some soon still such that the their then there these they this those though thus to today
    under unlike until was we were what when where whether which while who why will with without
    would yes yet you your"""

SENTENCE_STARTERS = frozenset(_FUNCTION_WORDS.split())
"""They have no capital of their own, so after an abbreviation a capital shows a beginning."""
