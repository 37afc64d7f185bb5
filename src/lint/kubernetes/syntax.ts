/** The forms of names and quantities that the API server admits. Each check returns what is wrong, and what to write. */

export type Syntax = (text: string) => string | undefined

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u
const qualifiedPart = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/u

export const dnsLabel: Syntax = matching(label, 63, 'must have only lower-case letters, digits and -, with a letter or digit at both ends')

export const dnsSubdomain: Syntax = matching(
  subdomain,
  253,
  'must have only lower-case letters, digits, - and ., with a letter or digit at both ends',
)

/** `team`, or `acme.dev/team`. */
export const labelKey: Syntax = (text) => {
  const [prefix, name = '', ...more] = text.includes('/') ? text.split('/') : [undefined, text]
  if (more.length > 0 || (prefix !== undefined && !(subdomain.test(prefix) && prefix.length <= 253)))
    return 'must be a name such as "team", or a domain and a name such as "acme.dev/team"'
  return matching(qualifiedPart, 63, 'must have only letters, digits, -, _ and ., with a letter or digit at both ends')(name)
}

export const labelValue: Syntax = (text) =>
  text === ''
    ? undefined
    : matching(qualifiedPart, 63, 'must be empty, or have only letters, digits, -, _ and ., with a letter or digit at both ends')(text)

export const variableName: Syntax = matching(/^[ -<>-~]+$/u, Infinity, 'must have only printable ASCII characters without =')

export const dataKey: Syntax = (text) =>
  text === '.' || text.startsWith('..')
    ? 'must not be . or start with ..'
    : matching(/^[-._a-zA-Z0-9]+$/u, 253, 'must have only letters, digits, -, _ and .')(text)

export const portName: Syntax = (text) =>
  matching(
    /^(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u,
    15,
    'must have only lower-case letters, digits and single -, with at least one letter',
  )(text)

export const imageName: Syntax = (text) =>
  text === '' ? 'is required' : text.trim() === text ? undefined : 'must not start or end with white space'

export const notEmpty: Syntax = (text) => (text === '' ? 'is required' : undefined)

/** A path below a volume. */
export const innerPath: Syntax = (text) =>
  text.startsWith('/') || text.split('/').includes('..') ? 'must be a relative path without ..' : undefined

/** What a variable can read of its container. */
export const containerResource: Syntax = matching(
  /^(?:limits|requests)\.(?:cpu|memory|ephemeral-storage|hugepages-.+)$/u,
  Infinity,
  'must be limits or requests of cpu, memory, ephemeral-storage or hugepages-SIZE, such as limits.memory',
)

const four = String.raw`(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}`

export const ipAddress: Syntax = (text) =>
  new RegExp(`^${four}$`, 'u').test(text) || /^[0-9a-f:]*:[0-9a-f:.]*$/iu.test(text) ? undefined : 'must be an IP address such as 10.0.0.7'

function matching(pattern: RegExp, maxLength: number, words: string): Syntax {
  return (text) => (text.length > maxLength ? `must have at most ${maxLength} characters` : pattern.test(text) ? undefined : words)
}

/** An exact number with a power of ten below it, so that quantities of any size can be compared. */
export type Quantity = { readonly digits: bigint; readonly scale: number }

const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']

/** Returns undefined if the API server cannot read the text. */
export function parseQuantity(value: string | number): Quantity | undefined {
  const text = String(value)
  const [, sign = '', whole = '', fraction = '', suffix = ''] =
    /^([+-]?)(\d*)(?:\.(\d*))?((?:[KMGTPE]i)|[numkMGTPE]|[eE][+-]?\d{1,3}|)$/u.exec(text) ?? []
  if (whole + fraction === '') return undefined
  const exponent = /^[eE]([+-]?\d+)$/u.exec(suffix)?.[1]
  const factor = 1024n ** BigInt(Math.max(0, binary.indexOf(suffix)))
  const power = exponent === undefined ? (decimal[suffix] ?? 0) : Number(exponent)
  const digits = BigInt(whole + fraction) * factor
  return { digits: sign === '-' ? -digits : digits, scale: power - fraction.length }
}

/** Returns a number below, at or above 0. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  const scale = Math.min(a.scale, b.scale)
  const difference = a.digits * 10n ** BigInt(a.scale - scale) - b.digits * 10n ** BigInt(b.scale - scale)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

export function isWhole({ digits, scale }: Quantity): boolean {
  return scale >= 0 || digits % 10n ** BigInt(-scale) === 0n
}

/** What somebody meant who wrote `512mb` or `2 GB`. */
export function quantityHint(text: string): string {
  const [, number = '', unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([kmgt])i?b?\s*$/iu.exec(text) ?? []
  if (unit === '') return '; write a number with a unit such as 500m, 512Mi or 2Gi'
  return `; write ${number}${unit.toUpperCase() === 'K' ? 'k' : unit.toUpperCase()} or ${number}${unit.toUpperCase()}i`
}
