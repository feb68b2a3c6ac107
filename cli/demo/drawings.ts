/** Three cheeses, drawn by hand: SVG of 480 × 360 to stand inside an HTML page, no scripts. */

/** A wedge of orange cheddar on a board: a smooth cut face, a waxed back, a few cracks. */
export const CHEDDAR = `<svg viewBox="0 0 480 360" role="img" aria-label="A wedge of cheddar">
<defs>
<linearGradient id="top" x1="0" y1="1" x2="1" y2="0">
<stop offset="0" stop-color="#ffc65c"/><stop offset="1" stop-color="#f6a02d"/>
</linearGradient>
<linearGradient id="cut" x1="0" y1="0" x2="0" y2="1">
<stop offset="0" stop-color="#f59a23"/><stop offset="1" stop-color="#dd7a12"/>
</linearGradient>
<linearGradient id="wax" x1="0" y1="0" x2="1" y2="0">
<stop offset="0" stop-color="#8f2f1d"/><stop offset="1" stop-color="#6b1f14"/>
</linearGradient>
</defs>
<ellipse cx="245" cy="302" rx="215" ry="34" fill="#b98a5a"/>
<ellipse cx="245" cy="294" rx="215" ry="34" fill="#d9ae7c"/>
<ellipse cx="245" cy="294" rx="190" ry="27" fill="none" stroke="#c99a66" stroke-width="2"/>
<path d="M60 296 L418 302 L436 290 L420 280 Z" fill="#8a5f35" opacity=".45"/>
<path d="M298 98 Q398 112 420 178 L420 292 Q424 292 428 286 L428 172 Q404 98 298 90 Z"
 fill="url(#wax)"/>
<path d="M58 196 L298 96 Q396 112 420 178 Z" fill="url(#top)"/>
<path d="M58 196 L420 178 L420 292 L58 292 Z" fill="url(#cut)"/>
<path d="M58 196 L420 178" stroke="#ffdb93" stroke-width="3" stroke-linecap="round"/>
<path d="M298 96 Q396 112 420 178" fill="none" stroke="#b5432a" stroke-width="5"/>
<path d="M420 178 V292" stroke="#b5432a" stroke-width="5"/>
<g fill="none" stroke="#c2670c" stroke-width="2.5" stroke-linecap="round">
<path d="M96 232 q18 -8 34 2 t30 -2"/>
<path d="M214 262 q22 8 40 -2 q10 -6 22 -1"/>
<path d="M318 214 q16 6 30 -3 t26 2"/>
<path d="M148 276 q12 -5 22 0"/>
<path d="M352 262 q14 -7 28 1"/>
</g>
<g fill="#c8690d">
<ellipse cx="182" cy="226" rx="6" ry="4"/><ellipse cx="272" cy="228" rx="4" ry="3"/>
<ellipse cx="120" cy="262" rx="4" ry="3"/><ellipse cx="330" cy="250" rx="6" ry="4"/>
</g>
<g fill="none" stroke="#ffe0a3" stroke-width="2" stroke-linecap="round" opacity=".8">
<path d="M196 158 q20 -6 36 -16"/><path d="M270 140 q26 2 40 -8"/><path d="M330 160 h26"/>
</g>
</svg>`;

/** A drum of stilton with a slice taken out: brown crust outside, cream and blue veins inside. */
export const STILTON = `<svg viewBox="0 0 480 360" role="img" aria-label="A cut drum of stilton">
<defs>
<linearGradient id="crust" x1="0" y1="0" x2="1" y2="0">
<stop offset="0" stop-color="#7d5f43"/><stop offset=".35" stop-color="#b39169"/>
<stop offset="1" stop-color="#6d5038"/>
</linearGradient>
<linearGradient id="left" x1="0" y1="0" x2="1" y2="0">
<stop offset="0" stop-color="#f8efd2"/><stop offset="1" stop-color="#e3d3a4"/>
</linearGradient>
<linearGradient id="right" x1="0" y1="0" x2="1" y2="0">
<stop offset="0" stop-color="#efe2b9"/><stop offset="1" stop-color="#fbf4dc"/>
</linearGradient>
</defs>
<ellipse cx="240" cy="304" rx="205" ry="40" fill="#4f5d63"/>
<ellipse cx="240" cy="297" rx="205" ry="40" fill="#6c7d84"/>
<path d="M92 116 V262 A148 50 0 0 0 388 262 V116 Z" fill="url(#crust)"/>
<g fill="#5d442f" opacity=".55">
<circle cx="112" cy="180" r="5"/><circle cx="130" cy="232" r="4"/><circle cx="104" cy="246" r="3"/>
<circle cx="372" cy="172" r="4"/><circle cx="360" cy="224" r="6"/><circle cx="378" cy="250" r="3"/>
<circle cx="146" cy="196" r="3"/><circle cx="350" cy="262" r="4"/><circle cx="138" cy="274" r="4"/>
</g>
<g fill="#d8c29a" opacity=".6">
<circle cx="120" cy="206" r="4"/><circle cx="148" cy="254" r="5"/><circle cx="366" cy="198" r="4"/>
<circle cx="352" cy="242" r="3"/><circle cx="100" cy="156" r="3"/>
</g>
<ellipse cx="240" cy="116" rx="148" ry="50" fill="#c6a67c"/>
<ellipse cx="240" cy="116" rx="136" ry="44" fill="none" stroke="#a8875f" stroke-width="3"/>
<path d="M240 116 L158 158 V304 L240 262 L330 302 V156 Z" fill="#6c7d84"/>
<path d="M240 116 L158 157.6 V303.6 L240 262 Z" fill="url(#left)"/>
<path d="M240 116 L330 155.7 V301.7 L240 262 Z" fill="url(#right)"/>
<path d="M158 303.6 L240 262 L330 301.7 A148 50 0 0 1 158 303.6 Z" fill="#4b595f"/>
<g fill="none" stroke="#3f6380" stroke-width="3" opacity=".85" stroke-linecap="round"
 stroke-linejoin="round">
<path d="M168 176 l16 14 l-4 22 l20 12 l8 24"/><path d="M184 190 l18 -10 l14 8"/>
<path d="M166 236 l16 8 l2 24 l16 8"/><path d="M226 142 l-10 24 l12 18 l-8 26"/>
<path d="M254 140 l14 20 l-6 24 l20 18"/><path d="M318 172 l-16 12 l4 24 l-22 14 l-6 26"/>
<path d="M306 208 l16 10"/><path d="M258 216 l12 20 l-8 18"/><path d="M318 248 l-18 8 l-2 20"/>
</g>
<g fill="#54809c">
<circle cx="200" cy="222" r="6"/><circle cx="182" cy="214" r="4"/><circle cx="218" cy="168" r="5"/>
<circle cx="208" cy="250" r="4"/><circle cx="268" cy="162" r="5"/><circle cx="282" cy="204" r="6"/>
<circle cx="304" cy="186" r="4"/><circle cx="270" cy="238" r="4"/><circle cx="298" cy="262" r="5"/>
<circle cx="174" cy="268" r="4"/><circle cx="316" cy="222" r="3"/><circle cx="228" cy="226" r="4"/>
</g>
<path d="M158 157.6 L240 116 L330 155.7" fill="none" stroke="#8d6c49" stroke-width="5"
 stroke-linejoin="round"/>
</svg>`;

/** A broken piece of wensleydale: pale, flaky, with its crumbs around it and some heather. */
export const WENSLEYDALE = `<svg viewBox="0 0 480 360" role="img" aria-label="Crumbly wensleydale">
<defs>
<linearGradient id="pale" x1="0" y1="0" x2="0" y2="1">
<stop offset="0" stop-color="#fffbe9"/><stop offset="1" stop-color="#f2e6be"/>
</linearGradient>
<linearGradient id="shade" x1="0" y1="0" x2="1" y2="0">
<stop offset="0" stop-color="#eadcae"/><stop offset="1" stop-color="#d9c890"/>
</linearGradient>
</defs>
<ellipse cx="240" cy="306" rx="212" ry="36" fill="#4d6b58"/>
<ellipse cx="240" cy="299" rx="212" ry="36" fill="#7d9c86"/>
<ellipse cx="240" cy="299" rx="186" ry="28" fill="none" stroke="#a5bfac" stroke-width="2"/>
<path d="M92 296 L356 312 L420 288 L390 270 Z" fill="#3d5646" opacity=".5"/>
<path d="M104 150 L128 134 L196 112 L262 98 L330 104 L388 130 L378 140 L356 152 L340 170 L318 164
 L290 176 L262 168 L232 182 L204 172 L172 180 L140 166 Z" fill="url(#pale)"/>
<path d="M104 150 L140 166 L172 180 L204 172 L232 182 L262 168 L290 176 L318 164 L340 170 L334 196
 L346 218 L332 244 L342 270 L330 300 L286 306 L250 298 L214 308 L176 298 L138 302 L104 288 L112 258
 L98 232 L110 204 L96 176 Z" fill="#f7edcb"/>
<path d="M340 170 L356 152 L378 140 L388 130 L392 168 L386 206 L394 240 L384 274 L330 300 L342 270
 L332 244 L346 218 L334 196 Z" fill="url(#shade)"/>
<g fill="none" stroke="#d8c68d" stroke-width="2.5" stroke-linecap="round">
<path d="M122 196 l16 8 l20 -6"/><path d="M176 206 l14 -8 l22 10 l14 -6"/>
<path d="M254 198 l18 8 l20 -8"/><path d="M126 240 l22 -8 l14 10"/>
<path d="M190 240 l20 10 l24 -8"/>
<path d="M262 236 l16 -6 l24 10"/><path d="M136 276 l18 6 l16 -8"/>
<path d="M206 278 l22 -6 l16 10"/>
<path d="M274 274 l18 8 l22 -8"/><path d="M310 210 l10 12 l-8 12"/><path d="M352 196 l14 -8"/>
<path d="M358 232 l16 -10"/><path d="M356 266 l12 -8"/>
</g>
<g fill="none" stroke="#e9dcae" stroke-width="2" stroke-linecap="round">
<path d="M168 142 l18 -6 l14 6"/><path d="M230 128 l20 6 l22 -8"/><path d="M296 130 l22 8 l18 -6"/>
<path d="M206 156 l16 -4"/><path d="M282 152 l18 4"/>
</g>
<g fill="#fbf3d6" stroke="#dccb95" stroke-width="1.5" stroke-linejoin="round">
<path d="M58 292 l12 -12 l16 4 l2 14 l-16 8 z"/><path d="M396 300 l10 -14 l18 2 l4 14 l-18 8 z"/>
<path d="M86 316 l8 -8 l12 4 l-2 10 l-12 2 z"/><path d="M366 316 l10 -6 l10 6 l-6 8 l-12 0 z"/>
<path d="M148 320 l6 -6 l8 4 l-4 8 z"/><path d="M300 322 l6 -6 l10 4 l-6 8 z"/>
<path d="M426 278 l6 -6 l8 4 l-4 8 z"/><path d="M40 306 l6 -5 l7 4 l-4 6 z"/>
</g>
<g fill="none" stroke="#4c7a4f" stroke-width="3" stroke-linecap="round">
<path d="M398 290 Q422 230 412 172"/><path d="M414 226 q14 -10 16 -24"/>
<path d="M415 206 q-14 -8 -17 -22"/>
</g>
<g fill="#a86fb4">
<circle cx="412" cy="166" r="6"/><circle cx="405" cy="176" r="5"/><circle cx="419" cy="178" r="5"/>
<circle cx="431" cy="198" r="5"/><circle cx="397" cy="180" r="4"/><circle cx="426" cy="208" r="4"/>
<circle cx="413" cy="190" r="4"/><circle cx="402" cy="192" r="4"/>
</g>
</svg>`;
