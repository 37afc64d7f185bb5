import { compileTemplate, type Expression } from '../expressions/index.ts'

type Variables = Readonly<Record<string, unknown>>

/** A payload whose expressions are compiled. */
export type Payload = { evaluate(variables: Variables): unknown }

export type PayloadFault = { readonly field: string; readonly message: string }

type Part = (variables: Variables) => unknown
type Scope = { readonly names: readonly string[]; readonly faults: PayloadFault[] }

/** Compiles every text in it, nested ones too; `names` are what expressions may use. All that is wrong is said, with the path of the text. */
export function compilePayload(
  value: unknown,
  field: string,
  names: readonly string[],
): { readonly ok: true; readonly payload: Payload } | { readonly ok: false; readonly faults: readonly PayloadFault[] } {
  const faults: PayloadFault[] = []
  const part = compilePart(value, field, { names, faults })
  return faults.length === 0 ? { ok: true, payload: { evaluate: part } } : { ok: false, faults }
}

function compilePart(value: unknown, field: string, scope: Scope): Part {
  if (typeof value === 'string') return value.includes('$(') ? compileText(value, field, scope) : () => value
  if (Array.isArray(value)) {
    const items = value.map((item, index) => compilePart(item, `${field}[${index}]`, scope))
    return (variables) => items.map((item) => item(variables))
  }
  if (typeof value !== 'object' || value === null) return () => value
  const fields = Object.entries(value).map(([name, own]) => [name, compilePart(own, `${field}.${name}`, scope)] as const)
  return (variables) => Object.fromEntries(fields.map(([name, own]) => [name, own(variables)]))
}

function compileText(source: string, field: string, { names, faults }: Scope): Part {
  let expression: Expression
  try {
    expression = compileTemplate(source, { variables: names })
  } catch (error) {
    faults.push({ field, message: wordsOf(error) })
    return () => undefined
  }
  return (variables) => expression.evaluate(variables)
}

/** What is wrong in one sentence, without the parser's own words that it was made of. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
