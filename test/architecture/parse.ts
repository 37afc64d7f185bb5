import { parseSync } from 'oxc-parser'

export type Import = {
  readonly specifier: string
  readonly typeOnly: boolean
  /** As the other file calls them; only of a static import. */
  readonly names?: readonly string[]
}
export type ParsedFile = { readonly path: string; readonly imports: readonly Import[]; readonly impurities: readonly string[] }

const impureGlobals = new Set(['process', 'setTimeout', 'setInterval', 'setImmediate', 'performance'])
const impureMembers = new Set(['Date.now', 'Math.random', 'crypto.randomUUID', 'crypto.getRandomValues'])

/** What a source file imports (static, re-exported, dynamic, in types) and which sources of time, chance and environment it touches. */
export function parseFile(path: string, source: string): ParsedFile {
  const { program, errors } = parseSync(path, source)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const imports: Import[] = []
  const impurities: string[] = []
  walk(program as unknown as Node, undefined, undefined, (node, parent, key) => {
    const imported = importOf(node)
    if (imported !== undefined) imports.push(imported)
    const impurity = impurityOf(node, parent, key)
    if (impurity !== undefined) impurities.push(impurity)
  })
  return { path, imports, impurities }
}

type Node = { readonly type: string; readonly [key: string]: unknown }

function importOf(node: Node): Import | undefined {
  switch (node.type) {
    case 'ImportDeclaration': {
      const specifiers = node['specifiers'] as readonly Node[]
      const allTypes = specifiers.length > 0 && specifiers.every((each) => each['importKind'] === 'type')
      const names = specifiers.map((each) => identifier(each['imported']) || '*')
      return { specifier: literal(node['source']), typeOnly: node['importKind'] === 'type' || allTypes, names }
    }
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      if (!node['source']) return undefined
      return { specifier: literal(node['source']), typeOnly: node['exportKind'] === 'type' }
    case 'ImportExpression':
      return { specifier: literal(node['source']), typeOnly: false }
    case 'TSImportType':
      return { specifier: literal(node['source'] ?? node['argument']), typeOnly: true }
    default:
      return undefined
  }
}

function impurityOf(node: Node, parent: Node | undefined, key: string | undefined): string | undefined {
  if (node.type === 'MemberExpression') {
    const name = `${identifier(node['object'])}.${identifier(node['property'])}`
    return impureMembers.has(name) ? name : undefined
  }
  if (node.type === 'NewExpression' && identifier(node['callee']) === 'Date' && (node['arguments'] as unknown[]).length === 0) {
    return 'new Date()'
  }
  if (node.type !== 'Identifier' || !impureGlobals.has(identifier(node))) return undefined
  const isName = key === 'property' || key === 'key' || key === 'local' || key === 'imported' || parent?.type === 'TSPropertySignature'
  const isParameterName = parent?.type === 'TSMethodSignature' || key === 'params'
  return isName || isParameterName ? undefined : identifier(node)
}

function identifier(value: unknown): string {
  const node = value as Node | undefined
  return node?.type === 'Identifier' ? String(node['name']) : ''
}

function literal(value: unknown): string {
  const node = value as Node | undefined
  if (node?.type === 'TSLiteralType') return literal(node['literal'])
  return typeof node?.['value'] === 'string' ? node['value'] : ''
}

function walk(
  node: Node,
  parent: Node | undefined,
  key: string | undefined,
  visit: (node: Node, parent: Node | undefined, key: string | undefined) => void,
): void {
  visit(node, parent, key)
  for (const [childKey, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) walk(child, node, childKey, visit)
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}
