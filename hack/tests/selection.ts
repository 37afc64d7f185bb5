/**
 * Which test files there are, and which of them a change can break: those that reach a changed file by imports, or by naming it, as they name
 * the programs that they start and the folders that they read.
 */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

/** A change of one of these may break every test. */
const foundations = ['package.json', 'package-lock.json', 'tsconfig.json', 'vitest.config.ts', 'hack/cluster/']

/** Those that take longest: of the suites that wait more than a minute, of the others more than ten seconds. */
export const slowFiles: readonly string[] = [
  ...['src/graph/exploration.test.ts', 'src/scheduling/exploration.test.ts', 'test/chart/render.test.ts'],
  ...['alerts', 'cli', 'schedule-cron-jobs', 'schedule-outage', 'task-queue', 'worker-access', 'worker-endpoints'].map(
    (name) => `test/integration/${name}.test.ts`,
  ),
  ...['operator', 'scale-chaos', 'schedule-chaos', 'schedule-engines', 'schedule-kill-points', 'schedule-operators'].map(
    (name) => `test/fault/${name}.test.ts`,
  ),
]

export function allTestFiles(): readonly string[] {
  return globSync(['src/**/*.test.ts', 'test/**/*.test.ts']).toSorted()
}

/** The test files whose path contains one of the words, or matches it where it has an asterisk; a word that finds none is an error. */
export function namedTestFiles(words: readonly string[], all: readonly string[] = allTestFiles()): readonly string[] {
  const found = words.flatMap((word) => {
    const matches = word.includes('*') ? globSync(word).filter((file) => all.includes(file)) : all.filter((file) => file.includes(word))
    if (matches.length === 0) throw new Error(`no test file matches "${word}". Next: name a path, a part of one, or a pattern in quotes`)
    return matches
  })
  return [...new Set(found)].toSorted()
}

/** The test files that one of the changed files can break. */
export function testFilesOf(changed: readonly string[], all: readonly string[] = allTestFiles()): readonly string[] {
  if (changed.some((file) => foundations.some((each) => file === each || (each.endsWith('/') && file.startsWith(each))))) return all
  const edges = new Map<string, readonly string[]>()
  return all.filter((test) => {
    const reached = reachedFrom(test, edges)
    return changed.some((file) => reached.has(file) || [...reached].some((each) => each.endsWith('/') && file.startsWith(each)))
  })
}

/** Every file that can be reached, and every folder, with a slash at its end. */
function reachedFrom(start: string, edges: Map<string, readonly string[]>): ReadonlySet<string> {
  const reached = new Set([start])
  for (const file of reached) {
    if (file.endsWith('/')) continue
    const next = edges.get(file) ?? namedIn(file)
    edges.set(file, next)
    for (const each of next) reached.add(each)
  }
  return reached
}

/** The files and folders of the repository that a file names in its string literals: imports, programs, folders, and scripts by name. */
function namedIn(file: string): readonly string[] {
  if (!/\.(?:m?[jt]s|lua)$/u.test(file)) return []
  const text = readFileSync(file, 'utf8')
  const scripts = Array.from(text.matchAll(/['"]([\w-]+)['"]/gu), ([, name]) => join(dirname(file), `${name}.lua`)).filter((path) =>
    existsSync(path),
  )
  const paths = Array.from(text.matchAll(/(['"`])((?:\.{1,2}\/)*[\w@-][\w@./-]*)[^'"`\n]*\1/gu), ([, , literal = '']) => {
    const path = normalize(literal.startsWith('.') ? join(dirname(file), literal) : literal)
    if (path.startsWith('..') || path.includes('node_modules') || !path.includes('/') || !existsSync(path)) return undefined
    if (statSync(path).isFile()) return path
    // The folders of the sources are reached by what is imported of them.
    return /^(?:src|test|hack|docs)(?:\/|$)/u.test(path) ? undefined : `${path.replace(/\/$/u, '')}/`
  })
  return [...scripts, ...paths.filter((path) => path !== undefined)]
}
