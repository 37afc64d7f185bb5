import type { CompileOptions } from './compile.ts'
import { compileTemplate } from './template.ts'
import type { Use } from './uses.ts'

type Variables = Readonly<Record<string, unknown>>

/** A JSON value whose texts are compiled. */
export type CompiledDocument = {
  readonly uses: readonly { readonly use: Use; readonly field: string }[]
  /** The value with all its expressions filled in. Throws as expressions do, with the path of the text in the message. */
  evaluate(variables: Variables): unknown
}

export type DocumentFault = { readonly field: string; readonly message: string }

/** How deep lists and objects may nest: enough for people, and too little for the stack. */
const maxDepth = 100

type Part = (variables: Variables) => unknown
type Scope = { readonly options: CompileOptions; readonly faults: DocumentFault[]; readonly uses: { use: Use; field: string }[] }

/** Compiles every text in a JSON value, nested ones too, as `compileTemplate` does; keys are left alone. All that is wrong is said. */
export function compileDocument(
  value: unknown,
  field: string,
  options: CompileOptions,
): { readonly ok: true; readonly document: CompiledDocument } | { readonly ok: false; readonly faults: readonly DocumentFault[] } {
  const scope: Scope = { options, faults: [], uses: [] }
  const part = compilePart(value, field, scope, 0)
  return scope.faults.length > 0 ? { ok: false, faults: scope.faults } : { ok: true, document: { uses: scope.uses, evaluate: part } }
}

function compilePart(value: unknown, field: string, scope: Scope, depth: number): Part {
  if (typeof value === 'string') return value.includes('$(') ? compileLeaf(value, field, scope) : () => value
  if (typeof value !== 'object' || value === null) return () => value
  if (depth === maxDepth) {
    scope.faults.push({ field, message: `lists and objects nest deeper than ${maxDepth} here` })
    return () => undefined
  }
  if (Array.isArray(value)) {
    const items = value.map((item, index) => compilePart(item, `${field}[${index}]`, scope, depth + 1))
    return (variables) => items.map((item) => item(variables))
  }
  const fields = Object.entries(value).map(([name, own]) => [name, compilePart(own, `${field}.${name}`, scope, depth + 1)] as const)
  return (variables) => Object.fromEntries(fields.map(([name, own]) => [name, own(variables)]))
}

function compileLeaf(source: string, field: string, { options, faults, uses }: Scope): Part {
  try {
    const template = compileTemplate(source, options)
    uses.push(...template.uses.map((use) => ({ use, field })))
    return (variables) => template.evaluate(variables)
  } catch (error) {
    faults.push({ field, message: wordsOf(error) })
    return () => undefined
  }
}

/** What is wrong with an expression in one sentence, without the parser's own words that it was made of. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
