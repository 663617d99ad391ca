"""A drawing of what is measured on a keyhole and a pore."""

from __future__ import annotations

GEOMETRY = """
<svg role="img" aria-label="Drawing: where keyhole depth, width, aperture, front-wall angle,
 pore depth, equivalent diameter and melt-free depth are measured" viewBox="0 0 720 380"
 font-size="15" fill="currentColor" stroke-linecap="round">
<defs><marker id="geometry-tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7"
 markerHeight="7" orient="auto-start-reverse"><path d="M1 1 9 5 1 9" fill="none"
 stroke="currentColor" stroke-width="1.6"/></marker></defs>
<rect x="20" y="100" width="680" height="260" fill="#2f9aa0" opacity=".16"/>
<path d="M334 100C332 130 326 150 304 175C279 200 262 225 266 250C270 278 300 290 320 278
 C349 260 362 225 370 195C378 165 390 130 394 100Z" fill="var(--keyhole)" opacity=".85"/>
<ellipse cx="118" cy="216" rx="24" ry="15" transform="rotate(-20 118 216)" fill="var(--pore)"/>
<circle cx="118" cy="216" r="19" fill="none" stroke="currentColor" stroke-dasharray="3 3"/>
<path d="M20 100H700" stroke="currentColor" stroke-width="2"/>
<text x="28" y="90">surface</text>
<text x="28" y="348" opacity=".75">substrate</text>
<g fill="none" stroke="currentColor" stroke-width="1.2" stroke-dasharray="4 4" opacity=".6">
<path d="M334 64V98M394 64V98M306 284H630M394 100L359 232M118 216H176M99 216V262M137 216V262"/>
</g>
<g fill="none" stroke="currentColor" stroke-width="1.4" marker-start="url(#geometry-tip)"
 marker-end="url(#geometry-tip)">
<path d="M334 74H394"/><path d="M528 102V282"/><path d="M170 102V214"/><path d="M99 256H137"/>
<path d="M610 286V358"/></g>
<path d="M267 237H355" fill="none" stroke="var(--back)" stroke-width="1.8"/>
<path d="M267 231V243M355 231V243" stroke="var(--back)" stroke-width="1.8"/>
<path d="M358 100A36 36 0 0 0 385 135" fill="none" stroke="var(--back)" stroke-width="2"/>
<path d="M372 122L412 138" stroke="currentColor" stroke-width="1"/>
<path d="M440 56H530" stroke="currentColor" stroke-width="2" marker-end="url(#geometry-tip)"/>
<g text-anchor="middle"><text x="364" y="56">aperture</text>
<text x="485" y="42">scan direction</text><text x="118" y="280">equivalent diameter</text></g>
<text x="416" y="144" stroke="none">front-wall</text><text x="416" y="162">angle</text>
<text x="538" y="196">depth</text><text x="180" y="150">pore depth</text>
<text x="220" y="243">width</text>
<text x="621" y="318">melt-free</text><text x="621" y="336">depth</text>
<text x="286" y="306">tip</text>
</svg>
"""
"""An `<svg>` element in the colours of the page."""
