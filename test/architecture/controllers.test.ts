/** Each kind has the same files for the same purposes, and `main` knows nothing of a kind but the value that stands for it. */
import { globSync, readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseFile } from './parse.ts'

/** A kind leaves out what it does not need; a handful of watches may stand in its kind.ts. */
const agreed = new Set(['index', 'kind', 'watches', 'controller', 'gather', 'decide', 'act', 'status', 'events', 'metrics', 'fixtures'])
/** A subject of a kind that has a file of its own, beside those. Think twice before you add one. */
const subjects: Readonly<Record<string, readonly string[]>> = {
  /** A second controller, for the condition Alerting of targets; what an alert may watch. */
  'task-alert': ['alerting', 'target'],
  'task-execution': ['node-table', 'whereabouts'],
  'task-queue': ['rates'],
  'task-schedule': ['blockage', 'group', 'run-conditions'],
  'worker-pool': ['deployment'],
}
function strayFiles(paths: readonly string[]): readonly string[] {
  return paths.filter((path) => {
    const kind = basename(dirname(path))
    const name = basename(path, '.ts')
    return !name.endsWith('.test') && !agreed.has(name) && subjects[kind]?.includes(name) !== true
  })
}

/** What `main` imports from controllers, but for the values of the kinds. */
function strayImports(path: string, source: string): readonly string[] {
  return parseFile(path, source)
    .imports.filter(({ specifier }) => specifier.includes('/controllers/'))
    .flatMap(({ specifier, names = ['*'] }) => names.filter((name) => !name.endsWith('Kind')).map((name) => `${name} of ${specifier}`))
}

const controllers = globSync('src/controllers/*/*.ts')
const main = globSync('src/main/**/*.ts')

it('each folder of controllers has the agreed files only', () => {
  expect(new Set(controllers.map(dirname)).size).toBe(8)
  expect(strayFiles(controllers)).toEqual([])
})

it('each folder of controllers has a door, a kind and a controller', () => {
  const missing = [...new Set(controllers.map(dirname))].flatMap((folder) =>
    ['index', 'kind', 'controller'].map((name) => `${folder}/${name}.ts`).filter((path) => !controllers.includes(path)),
  )
  expect(missing).toEqual([])
})

it('main imports from controllers only the values of kinds', () => {
  expect(main.length).toBeGreaterThan(10)
  expect(main.flatMap((path) => strayImports(path, readFileSync(path, 'utf8')))).toEqual([])
})

it('every kind that a controller folder offers is in the list of main', () => {
  const listed = readFileSync('src/main/kinds.ts', 'utf8')
  const offered = controllers
    .filter((path) => path.endsWith('/kind.ts'))
    .flatMap((path) => Array.from(readFileSync(path, 'utf8').matchAll(/export const (\w+Kind)\b/gu), ([, name = '']) => name))
  expect(offered.length).toBeGreaterThanOrEqual(8)
  expect(offered.filter((name) => !listed.includes(`  ${name},`))).toEqual([])
})

describe('the rules bite', () => {
  it('on a file of another name', () => {
    const planted = ['src/controllers/worker-pool/helpers.ts', 'src/controllers/task-broker/deployment.ts']
    expect(strayFiles([...controllers, ...planted])).toEqual([...strayFiles(controllers), ...planted])
  })

  it('on logic of a kind in main', () => {
    const source = `import { poolsOf, workerPoolKind } from '../controllers/worker-pool/index.ts'; export const x = [poolsOf, workerPoolKind]`
    expect(strayImports('src/main/x.ts', source)).toEqual(['poolsOf of ../controllers/worker-pool/index.ts'])
  })
})
