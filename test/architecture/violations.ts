import { posix } from 'node:path'
import { findCycle } from './cycles.ts'
import { parseFile, type Import, type ParsedFile } from './parse.ts'
import { doorless, glass, impureFiles, leaves, table, type Row } from './table.ts'

/** Checks a tree of sources (path from the repository's root -> text) and says each violation in one line. */
export function violations(sources: ReadonlyMap<string, string>): string[] {
  const files = [...sources].map(([path, source]) => parseFile(path, source))
  const edges = files.flatMap((file) => internalEdges(file))
  return [
    ...files.flatMap((file) => fileViolations(file)),
    ...missingDoors(files, sources),
    ...cycleViolations('files', edges),
    ...cycleViolations(
      'folders',
      edges.map(({ from, to }) => ({ from: folderOf(from), to: folderOf(to) })).filter(({ from, to }) => from !== to),
    ),
  ]
}

/** `src/scaling/demand.ts` -> `scaling`; the kinds under `controllers` and the rooms of `services` are folders of their own. */
export function folderOf(path: string): string {
  const [, first = '', second = ''] = path.split('/')
  return first === 'controllers' || first === 'services' ? `${first}/${second}` : first
}

function rowOf(folder: string): Row | undefined {
  return table[folder] ?? (folder.startsWith('controllers/') ? table['controllers/*'] : undefined)
}

function fileViolations(file: ParsedFile): string[] {
  const folder = folderOf(file.path)
  const row = rowOf(folder)
  if (row === undefined) return [`${file.path}: folder ${folder} is not in the import table`]
  const found = file.imports.flatMap((each) =>
    each.specifier.startsWith('.') ? crossing(file.path, folder, row, each) : outside(file.path, row, each),
  )
  if (!file.path.startsWith(glass.folder)) found.push(...file.imports.flatMap((each) => throughGlass(file.path, each)))
  if (!impureFiles.some((pattern) => pattern.test(file.path))) {
    found.push(...file.impurities.map((what) => `${file.path}: ${what} enters at main only; pass a value or the Clock`))
  }
  return found
}

function crossing(path: string, folder: string, row: Row, each: Import): string[] {
  const target = resolve(path, each.specifier)
  if (!target.startsWith('src/')) return [`${path}: imports ${target}, outside src`]
  const other = folderOf(target)
  if (other === folder) return []
  const found: string[] = []
  if (!target.endsWith('/index.ts')) found.push(`${path}: reaches past the door of ${other} (${target})`)
  const isLeaf = (leaves as readonly string[]).includes(folder) || folder === 'contract'
  const common = isLeaf ? [] : [...leaves, 'contract']
  const values = [...common, ...(row.values ?? [])]
  if (values.includes('*') || values.includes(other)) return found
  if (row.types?.includes(other)) {
    return each.typeOnly ? found : [...found, `${path}: may import only types of ${other}`]
  }
  return [...found, `${path}: ${folder} may not import ${other}`]
}

function outside(path: string, row: Row, each: Import): string[] {
  if (each.specifier.startsWith('node:')) {
    return row.pure ? [`${path}: a pure folder imports ${each.specifier}`] : []
  }
  const name = each.specifier
    .split('/')
    .slice(0, each.specifier.startsWith('@') ? 2 : 1)
    .join('/')
  return row.packages?.includes('*') || row.packages?.includes(name) ? [] : [`${path}: may not import the package ${name}`]
}

function throughGlass(path: string, each: Import): string[] {
  if (each.specifier.startsWith('.')) {
    const target = resolve(path, each.specifier)
    const isPastDoor = target.startsWith(glass.folder) && target !== `${glass.folder}index.ts`
    return isPastDoor ? [`${path}: reaches past the door of ${glass.folder} (${target})`] : []
  }
  const rule = path.startsWith('src/broker/') ? glass.packages[each.specifier] : undefined
  if (rule === undefined || (rule.typesElsewhere && each.typeOnly)) return []
  return [`${path}: only ${glass.folder} may import ${rule.typesElsewhere ? 'values of ' : ''}${each.specifier}`]
}

function missingDoors(files: readonly ParsedFile[], sources: ReadonlyMap<string, string>): string[] {
  const folders = new Set(files.map((file) => folderOf(file.path)))
  return [...folders]
    .filter((folder) => !doorless.includes(folder) && !sources.has(`src/${folder}/index.ts`))
    .map((folder) => `src/${folder}: has no door (index.ts)`)
}

type Edge = { readonly from: string; readonly to: string }

function internalEdges(file: ParsedFile): Edge[] {
  return file.imports
    .filter((each) => each.specifier.startsWith('.'))
    .map((each) => ({ from: file.path, to: resolve(file.path, each.specifier) }))
}

function cycleViolations(what: string, edges: readonly Edge[]): string[] {
  const cycle = findCycle(edges)
  return cycle === undefined ? [] : [`cycle of ${what}: ${cycle.join(' -> ')}`]
}

function resolve(from: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(from), specifier))
}
