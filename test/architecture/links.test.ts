/** The pages that people read: every link leads somewhere, lines stay readable, and the page of a kind explains all its reasons. */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { kinds } from '../../src/api/index.ts'
import { linesOfProse, linksOf, pathsOf, slugsOf } from './pages.ts'
import { table } from './table.ts'

const pages = [
  ...['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'hack/cluster/README.md'],
  ...globSync(['docs/**/*.md', 'examples/**/*.md', 'charts/**/*.md']),
].toSorted()
const generated = ['docs/api.md', 'docs/metrics.md']
/** The page that explains each kind. */
const pageOf: Readonly<Record<string, string>> = {
  TaskBroker: 'docs/brokers.md',
  WorkerPool: 'docs/pools.md',
  TaskQueue: 'docs/queues.md',
  TaskSchedule: 'docs/schedules.md',
  TaskDependency: 'docs/graphs-and-runs.md',
  TaskExecution: 'docs/graphs-and-runs.md',
  TaskAlert: 'docs/alerts.md',
  AlertChannel: 'docs/alerts.md',
}

const read = (path: string): string => readFileSync(path, 'utf8')

describe.each(pages)('%s', (page) => {
  it('has links and anchors that lead somewhere', () => {
    expect(linksOf(read(page)).filter(({ target }) => !leadsSomewhere(page, target))).toEqual([])
  })

  it.skipIf(page === 'CHANGELOG.md')('names files and folders that exist', () => {
    expect(pathsOf(read(page)).filter(({ path }) => globSync(path).length === 0)).toEqual([])
  })

  it.skipIf(generated.includes(page))('wraps its prose at 100 columns', () => {
    expect(linesOfProse(read(page)).filter(({ width }) => width > 100)).toEqual([])
  })
})

it('the README has at most 200 lines', () => {
  expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(200)
})

it('docs/README.md, the map, leads to every page', () => {
  const targets = new Set(linksOf(read('docs/README.md')).map(({ target }) => normalize(join('docs', target.replace(/#.*$/u, '')))))
  const missing = globSync('docs/*.md').filter((page) => page !== 'docs/README.md' && !targets.has(page))
  expect(missing).toEqual([])
})

it('docs/architecture.md has a row for each folder of the import table that exists, and for no other', () => {
  const rows = [...(/^## The folders$([^]*?)^## /mu.exec(read('docs/architecture.md'))?.[1] ?? '').matchAll(/^\| (`[^|]+) \|/gmu)]
  const named = rows.flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/gu)].map(([, folder = '']) => folder.replace('…', '*')))
  const existing = Object.keys(table).filter((folder) => globSync(`src/${folder}`).length > 0)
  expect(named.toSorted()).toEqual(existing.toSorted())
})

const flows = [...read('docs/architecture.md').matchAll(/^### (.*): (\d+) files, (\d+) of them shared$([^]*?)(?=^#|(?![^]))/gmu)]
it('docs/architecture.md follows three flows', () => expect(flows).toHaveLength(3))

it.each(flows.map(([, name = '', files, shared, text = '']) => ({ name, files: Number(files), shared: Number(shared), text })))(
  'docs/architecture.md counts the files of: $name',
  ({ files, shared, text }) => {
    const rows = text.split('\n').filter((line) => line.startsWith('|'))
    const inColumns = (from: number) => rows.flatMap((row) => pathsOf(row.split('|').slice(from).join('|')).map(({ path }) => path))
    expect([new Set(inColumns(2)).size, inColumns(2).length, inColumns(3).length]).toEqual([files, files, shared])
  },
)

it.each(kinds.map(({ kind }) => kind))('the page of %s explains every reason of its conditions and warnings', (name) => {
  const kind = kinds.find((each) => each.kind === name)
  const page = pageOf[name]
  if (kind === undefined || page === undefined) throw new Error(`${name} has no page`)
  const reasons = Object.values(kind.conditions).flatMap(({ reasons: declared }) => Object.keys(declared))
  const warnings = Object.entries(kind.events).flatMap(([reason, { type }]) => (type === 'Warning' ? [reason] : []))
  const text = read(page)
  expect([...new Set([...reasons, ...warnings])].filter((reason) => !text.includes(`\`${reason}\``))).toEqual([])
})

it.each(['operator', 'worker'])('docs/brokers.md has the ACL rules with which the tests of the broker log in (%s)', (role) => {
  const tested = new RegExp(`const ${role} = '(.*)'`, 'u').exec(read('test/integration/broker-access.test.ts'))?.[1]
  const told = new RegExp(`^${role} +(~.*)$`, 'mu').exec(read('docs/brokers.md'))?.[1]
  expect(told).toBe(tested)
})

it('the checks see a broken link, a missing anchor and a long line', () => {
  const text = '# A page\n\n[here](pages.ts) [gone](gone.md) [part](#a-page) [no part](#b) `[code](x)`\n\n' + 'word '.repeat(21)
  expect(linksOf(text).filter(({ target }) => !leadsSomewhere('test/architecture/page.md', target, text))).toEqual([
    { line: 3, target: 'gone.md' },
    { line: 3, target: '#b' },
  ])
  expect(linesOfProse(text).filter(({ width }) => width > 100)).toMatchObject([{ line: 5 }])
})

function leadsSomewhere(page: string, target: string, text = ''): boolean {
  if (/^(https?|mailto):/u.test(target)) return true
  const [file = '', anchor] = target.split('#')
  const path = file === '' ? page : normalize(join(dirname(page), file))
  if (file !== '' && !existsSync(path)) return false
  if (anchor === undefined) return true
  if (file !== '' && statSync(path).isDirectory()) return false
  return slugsOf(text === '' ? read(path) : text).has(anchor)
}
