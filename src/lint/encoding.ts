/** Decodes the bytes of a manifest as kubectl does: UTF-8, or UTF-16 with a byte order mark. */

/** `fault` says why kubectl cannot read the text; the text is decoded all the same, so that one can see what it is about. */
export type Decoded = { readonly text: string; readonly fault?: string }

type Encoding = { readonly name: string; readonly decode: (bytes: Uint8Array) => string; readonly isRead: boolean }

const utf8: Encoding = { name: 'UTF-8', decode: decoderOf('utf-8'), isRead: true }

/** By the first bytes. UTF-32 comes before UTF-16, whose little-endian mark it starts with. */
const marked: readonly (readonly [mark: readonly number[], encoding: Encoding])[] = [
  [[0x00, 0x00, 0xfe, 0xff], { name: 'UTF-32', decode: (bytes) => decodeUtf32(bytes, false), isRead: false }],
  [[0xff, 0xfe, 0x00, 0x00], { name: 'UTF-32', decode: (bytes) => decodeUtf32(bytes, true), isRead: false }],
  [[0xef, 0xbb, 0xbf], utf8],
  [[0xfe, 0xff], { name: 'UTF-16', decode: decoderOf('utf-16be'), isRead: true }],
  [[0xff, 0xfe], { name: 'UTF-16', decode: decoderOf('utf-16le'), isRead: true }],
]

/** Without a mark, the zero bytes around the first character, which is ASCII in YAML and JSON, give the encoding away. */
const unmarked: readonly (readonly [zeros: string, encoding: Encoding])[] = [
  ['0001', { name: 'UTF-32', decode: (bytes) => decodeUtf32(bytes, false), isRead: false }],
  ['1000', { name: 'UTF-32', decode: (bytes) => decodeUtf32(bytes, true), isRead: false }],
  ['01', { name: 'UTF-16 without a byte order mark', decode: decoderOf('utf-16be'), isRead: false }],
  ['10', { name: 'UTF-16 without a byte order mark', decode: decoderOf('utf-16le'), isRead: false }],
]

/** Bytes that are no characters become U+FFFD, as in kubectl. */
export function decodeManifest(bytes: Uint8Array): Decoded {
  const { name, decode, isRead } = encodingOf(bytes)
  const text = decode(bytes)
  return isRead ? { text } : { text, fault: `is ${name}, which kubectl cannot read. Next: save it as UTF-8` }
}

function encodingOf(bytes: Uint8Array): Encoding {
  const byMark = marked.find(([mark]) => mark.every((byte, index) => bytes[index] === byte))
  if (byMark !== undefined) return byMark[1]
  const zeros = Array.from(bytes.subarray(0, 4), (byte) => (byte === 0 ? '0' : '1')).join('')
  return unmarked.find(([pattern]) => zeros.startsWith(pattern))?.[1] ?? utf8
}

/** Drops the byte order mark. */
function decoderOf(label: string): (bytes: Uint8Array) => string {
  return (bytes) => new TextDecoder(label).decode(bytes)
}

function decodeUtf32(bytes: Uint8Array, isLittleEndian: boolean): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const points = Array.from({ length: Math.floor(bytes.byteLength / 4) }, (_, index) => view.getUint32(index * 4, isLittleEndian))
  return points
    .map((point) => (point <= 0x10_ffff ? String.fromCodePoint(point) : '\uFFFD'))
    .join('')
    .replace(/^\uFEFF/u, '')
}
