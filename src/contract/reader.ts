/** Reads the fields of a stored record, and throws a TypeError that names the field which this version does not understand. */
export type Fields = Readonly<Record<string, unknown>>

export function readFields(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`${name} is not an object`)
  return value as Fields
}

export function readList(value: unknown, name: string): readonly Fields[] {
  if (!Array.isArray(value)) throw new TypeError(`${name} is not a list`)
  return value.map((each) => readFields(each, name))
}

export function readNumber(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new TypeError(`${name} is not a number`)
  return value
}

export function readText(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new TypeError(`${name} is not a string`)
  return value
}

export function readOneOf<T extends string>(value: unknown, values: readonly T[], name: string): T {
  const found = values.find((each) => each === value)
  if (found === undefined) throw new TypeError(`${name} is ${JSON.stringify(value)}, but must be one of ${values.join(', ')}`)
  return found
}

/** The field under its own name, for a spread; nothing if it is absent. */
export function readOptional<K extends string, V>(
  key: K,
  value: unknown,
  read: (value: unknown, name: string) => V,
): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: read(value, key) }) as { readonly [P in K]?: V }
}

/** Throws unless it is a record of version 1 to `newest`: a later version may have written it. */
export function readVersion(value: unknown, name: string, newest: number): Fields {
  const it = readFields(value, name)
  const v = it['v']
  const isKnown = typeof v === 'number' && Number.isInteger(v) && v >= 1 && v <= newest
  const known = newest > 2 ? `1 to ${newest}` : newest === 2 ? '1 and 2' : '1'
  if (!isKnown) throw new TypeError(`v is ${JSON.stringify(v)}, but only ${known} are supported`)
  return it
}
