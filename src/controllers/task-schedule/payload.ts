import { errorMessage } from '../../errors/index.ts'
import { compileTemplate, type Expression } from '../../expressions/index.ts'

/** A payload whose expressions are compiled. */
export type Payload = { evaluate(slotTime: string): unknown }

export type PayloadFault = { readonly field: string; readonly message: string }

type Part = (variables: Readonly<Record<string, unknown>>) => unknown

/** Compiles every text in it, nested ones too. What is wrong is said with the path of the text. */
export function compilePayload(
  value: unknown,
  field: string,
): { readonly ok: true; readonly payload: Payload } | ({ readonly ok: false } & PayloadFault) {
  const faults: PayloadFault[] = []
  const part = compilePart(value, field, faults)
  const [fault] = faults
  return fault === undefined ? { ok: true, payload: { evaluate: (slot) => part({ slot }) } } : { ok: false, ...fault }
}

function compilePart(value: unknown, field: string, faults: PayloadFault[]): Part {
  if (typeof value === 'string') return value.includes('$(') ? compileText(value, field, faults) : () => value
  if (Array.isArray(value)) {
    const items = value.map((item, index) => compilePart(item, `${field}[${index}]`, faults))
    return (variables) => items.map((item) => item(variables))
  }
  if (typeof value !== 'object' || value === null) return () => value
  const fields = Object.entries(value).map(([name, own]) => [name, compilePart(own, `${field}.${name}`, faults)] as const)
  return (variables) => Object.fromEntries(fields.map(([name, own]) => [name, own(variables)]))
}

function compileText(source: string, field: string, faults: PayloadFault[]): Part {
  let expression: Expression
  try {
    expression = compileTemplate(source, { variables: ['slot'] })
  } catch (error) {
    faults.push({ field, message: errorMessage(error) })
    return () => undefined
  }
  return (variables) => expression.evaluate(variables)
}
