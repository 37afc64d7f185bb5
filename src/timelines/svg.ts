/** The few elements of SVG that pictures of timelines consist of. */

type Attributes = Readonly<Record<string, string | number | undefined>>

/** An element with its attributes; `content` is markup, or nothing. */
export function element(name: string, attributes: Attributes, content = ''): string {
  const own = Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [` ${key}="${escaped(shown(value))}"`]))
  return content === '' ? `<${name}${own.join('')}/>` : `<${name}${own.join('')}>${content}</${name}>`
}

/** A line of text; `x` and `y` are those of its baseline. */
export function text(x: number, y: number, words: string, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escaped(words))
}

/** A line of text whose parts look different, each behind the one before it. */
export function texts(x: number, y: number, parts: readonly (readonly [kind: PictureClass, words: string])[]): string {
  const spans = parts.map(([kind, words], index) => element('tspan', { class: kind, dx: index === 0 ? undefined : 10 }, escaped(words)))
  return element('text', { x, y }, spans.join(''))
}

/** Same numbers on every machine. */
function shown(value: string | number): string {
  return typeof value === 'number' ? String(Math.round(value * 10) / 10) : value
}

/** As text and as the value of an attribute; characters that XML cannot hold become spaces. */
function escaped(words: string): string {
  return words
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

/** About how wide a text is in pixels. Fonts differ; this is that of a wide one. */
export function widthOf(words: string, size: number): number {
  return Array.from(words).reduce((width, character) => width + size * shareOf(character), 0)
}

/** The width of a character by the size of its font. */
function shareOf(character: string): number {
  if (/[\u1100-\uFFFF]/u.test(character)) return 1.05
  if (/[WMm%@]/u.test(character)) return 0.88
  if (/[A-Z]/u.test(character)) return 0.7
  if (/[0-9]/u.test(character)) return 0.64
  return /[iljtf.,:;'|!() ]/u.test(character) ? 0.34 : 0.58
}

/** The text without what does not fit into so many pixels. */
export function fitted(words: string, size: number, width: number): string {
  if (widthOf(words, size) <= width) return words
  const characters = Array.from(words)
  while (characters.length > 0 && widthOf(`${characters.join('')}…`, size) > width) characters.pop()
  return `${characters.join('').trimEnd()}…`
}

/** The text in lines, the first of which has less room; a word that is longer than a line is cut. */
export function wrapped(words: string, size: number, first: number, others: number): readonly string[] {
  const lines: string[] = ['']
  for (const word of words.split(' ')) {
    const line = lines.at(-1) ?? ''
    const longer = line === '' ? word : `${line} ${word}`
    const room = lines.length === 1 ? first : others
    if (widthOf(longer, size) <= room) lines[lines.length - 1] = longer
    else lines.push(fitted(word, size, others))
  }
  return lines
}

/**
 * A whole picture on a card of its own: readable on pages of every colour, and dark where the reader prefers that. `title` and `description` are what
 * screen readers say.
 */
export function picture(options: {
  readonly width: number
  readonly height: number
  readonly title: string
  readonly description: string
  readonly body: readonly string[]
}): string {
  const { width, height, title, description, body } = options
  const card = element('rect', { class: 'card', x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 8 })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="description">${escaped(description)}</desc>`,
    `<style>${style}</style>`,
    card,
    ...body,
    '</svg>',
    '',
  ].join('\n')
}

const light = {
  card: 'fill:#ffffff;stroke:#d0d7de',
  strong: 'fill:#1f2328;font-weight:600',
  plain: 'fill:#1f2328',
  muted: 'fill:#59636e',
  grid: 'stroke:#e4e8ec',
  change: 'stroke:#8250df',
  'change-text': 'fill:#8250df',
  slot: 'fill:#59636e',
  wait: 'stroke:#59636e;stroke-dasharray:3 3;stroke-width:1.5',
  succeeded: 'fill:#aceebb;stroke:#2da44e',
  failed: 'fill:#ffcecb;stroke:#cf222e',
  replaced: 'fill:#fae17d;stroke:#9a6700',
  hand: 'fill:#ddf4ff;stroke:#0969da',
  beyond: 'fill:#eaeef2;stroke:#818b98;stroke-dasharray:3 2',
  missed: 'stroke:#cf222e;stroke-width:1.8',
  'missed-text': 'fill:#cf222e',
  outage: 'fill:#818b98;fill-opacity:0.16',
} as const

export type PictureClass = keyof typeof light

const dark: Readonly<Record<PictureClass, string>> = {
  card: 'fill:#151b23;stroke:#3d444d',
  strong: 'fill:#f0f6fc',
  plain: 'fill:#f0f6fc',
  muted: 'fill:#9198a1',
  grid: 'stroke:#2a313c',
  change: 'stroke:#ab7df8',
  'change-text': 'fill:#ab7df8',
  slot: 'fill:#9198a1',
  wait: 'stroke:#9198a1',
  succeeded: 'fill:#196c2e;stroke:#3fb950',
  failed: 'fill:#8e1519;stroke:#f85149',
  replaced: 'fill:#7a5a0c;stroke:#d29922',
  hand: 'fill:#0c2d6b;stroke:#388bfd',
  beyond: 'fill:#2f3742;stroke:#9198a1',
  missed: 'stroke:#f85149',
  'missed-text': 'fill:#ff7b72',
  outage: 'fill:#9198a1;fill-opacity:0.2',
}

function rules(classes: Readonly<Record<string, string>>): string {
  return Object.entries(classes)
    .map(([name, declarations]) => `.${name}{${declarations}}`)
    .join('')
}

const style = `text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",Arial,sans-serif;font-size:12px}.small{font-size:11px}${rules(light)}@media (prefers-color-scheme:dark){${rules(dark)}}`
