/** Pixel art: 8 x 8 icons. Each of their pixels becomes one pixel of a 64 x 64 picture. */

import { LAMP_NAME, OBJECT_KINDS, RECEPTACLE_KINDS } from "./vocabulary.ts";

/** Side of an icon in pixels. */
export const ICON_PIXELS = 8;

/** Colours as 0xRRGGBB by letter; a dot is transparent. */
export const PALETTE: Readonly<Record<string, number>> = {
  k: 0x000000,
  w: 0xffffff,
  a: 0xa0a0a0,
  d: 0x505050,
  r: 0xe02020,
  o: 0xff8800,
  y: 0xffd800,
  g: 0x20a030,
  l: 0x90e040,
  c: 0x00c8d8,
  b: 0x2050e0,
  p: 0x8030c0,
  m: 0xff40b0,
  n: 0x8a5020,
  t: 0xe0b070,
};

/** Sheets of icons side by side, each with a line of names. An icon has 8 lines of 8 characters; a space separates icons. */
const SHEETS: readonly (readonly [names: string, rows: string])[] = [
  [
    "apple book bowl bread cellphone cup",
    `
...g.... bbbbbbb. ........ ........ .kkkkk.. c....c..
..g..... bwwwwwb. ........ .tttttt. .kcccck. cccccc..
.rrrrr.. bbbbbbb. p.....p. tnnnnnnt .kcccck. .cccc...
rrrrrrr. bbbbbbb. ppppppp. tttttttt .kcccck. .cccc...
rrrrrrr. bbbbbbb. ppppppp. tttttttt .kcccck. .cccc...
rrrrrrr. bbbbbbb. .ppppp.. tttttttt .kkkkkk. .cccc...
.rrrrr.. bwwwwwb. ..ppp... .tttttt. .kkwkkk. ..cc....
..r.r... bbbbbbb. ........ ........ .kkkkkk. .cccc...`,
  ],
  [
    "egg mug pencil plate potato spoon",
    `
..yyy... ........ ......mm ..aaaa.. ........ ..aaa...
.ywwwy.. ggggg... .....ymm .awwwwa. ..nnnn.. .aaaaa..
.ywwwy.. ggggggg. ....yyy. awwwwwwa .nnntnn. .aaaaa..
ywwwwwy. ggggg.g. ...yyy.. awwaawwa nnnnnnnn ..aaa...
ywwwwwy. ggggg.g. ..yyy... awwaawwa nntnnnnn ...d....
ywwwwwy. ggggggg. .yyy.... awwwwwwa nnnnnnn. ...d....
.ywwwy.. ggggg... kyy..... .awwwwa. .nnnnn.. ...d....
..yyy... ggggg... kk...... ..aaaa.. ........ ...d....`,
  ],
  [
    "cabinet countertop desk drawer fridge",
    `
nnnnnnn. ........ ........ tttttttt cccccccc
nttnttn. aaaaaaaa nnnnnnnn t......t cwwwwkwc
nttnttn. dddddddd nnnnnnnn tttkkttt cwwwwkwc
ntknktn. d.d..d.d n...rrrn t......t cccccccc
nttnttn. d.d..d.d n...rkrn tttkkttt cwwwwkwc
nttnttn. d.d..d.d n...rrrn t......t cwwwwkwc
nttnttn. dddddddd n......n tttkkttt cwwwwwwc
nnnnnnn. ........ n......n tttttttt cccccccc`,
  ],
  [
    "garbagecan microwave shelf sidetable sinkbasin",
    `
..gggg.. ........ oooooooo ........ ...aa...
gggggggg kkkkkkkk o......o ........ ...aaa..
.gllllg. kyyyykrk oooooooo mmmmmmmm ......a.
.glglgg. kyyyykkk o......o m......m bbbbbbbb
.glglgg. kyyyykgk oooooooo m......m bccccccb
.glglgg. kyyyykkk o......o m......m .bccccb.
.gllllg. kkkkkkkk oooooooo m......m ..bbbb..
..gggg.. ........ o......o m......m ........`,
  ],
  [
    "put light clean hot cold two hand desklamp",
    `
...kk... y..y..y. ...b.... ...r.... b..bb..b ..kkk... .t.t.t.. ..ppp...
...kk... .y.y.y.. ..bbb... ..rr.r.. .b.bb.b. .k...k.. .t.t.t.t .ppppp..
...kk... ..yyy... ..bbb... .rrrrr.. ..bbbb.. .....k.. .t.t.t.t ppppppp.
kkkkkkkk yyyyyyyy .bbwbb.. .rroorr. bbbbbbbb ....k... .ttttttt .yyyyy..
.kkkkkk. ..yyy... .bwbbb.. rroyyorr bbbbbbbb ...k.... .ttttttt ...d....
..kkkk.. .y.y.y.. bbwbbbb. rroyyorr ..bbbb.. ..k..... ttttttt. ...d....
...kk... y..y..y. .bbbbb.. .royyor. .b.bb.b. .kkkkk.. .tttttt. ...d....
........ ........ ..bbb... ..rrrr.. b..bb..b ........ ..tttt.. ..ddddd.`,
  ],
  [
    "1 2 3",
    `
...k.... ..kkk... .kkk....
..kk.... .k...k.. ....k...
...k.... .....k.. ....k...
...k.... ....k... ..kk....
...k.... ...k.... ....k...
...k.... ..k..... ....k...
..kkk... .kkkkk.. .kkk....
........ ........ ........`,
  ],
];

/** 64 colours, row-major. -1 is transparent: the ground shows. */
export type Icon = Int32Array;

/** Icons by name: kinds of objects and receptacles, `desklamp`, task signs, conditions, digits. */
export const ICONS: ReadonlyMap<string, Icon> = new Map(SHEETS.flatMap(([names, rows]) => {
  const lines = rows.trimStart().split("\n").map((line) => line.split(" "));
  return names.split(" ").map((name, column): [string, Icon] => {
    const pixels = lines.map((line) => line[column]).join("");
    return [name, Int32Array.from(pixels, (letter) => letter === "." ? -1 : PALETTE[letter])];
  });
}));

/** The letter of each receptacle kind's colour on the map, in the order of the kinds. */
export const MAP_COLOURS = "nadtcglomb";

for (const name of [...OBJECT_KINDS, ...RECEPTACLE_KINDS, LAMP_NAME.slice(0, -2)]) {
  const icon = ICONS.get(name);
  if (icon?.length !== ICON_PIXELS ** 2 || icon.includes(NaN)) {
    throw new SyntaxError(
      `Cannot read the icons: "${name}" is not 8 x 8 letters of the palette, mend SHEETS`,
    );
  }
}
