/** What people copy from the pages is right: each YAML block passes `taskmill lint --strict`, and what commands print is what they print. */
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runCommand } from '../../src/cli/index.ts'
import { fakeClock } from '../../src/clock/index.ts'
import { importCronJobs, renderDrafts } from '../../src/import/index.ts'
import { lint } from '../../src/lint/index.ts'
import { readSchedules } from '../../src/main/manifest-schedules.ts'
import { blocksOf } from '../architecture/pages.ts'

const blocks = globSync(['README.md', 'docs/*.md', 'examples/**/*.md'])
  .toSorted()
  .flatMap((page) => blocksOf(readFileSync(page, 'utf8'), 'yaml').map((block) => ({ at: `${page}:${block.line}`, text: block.text })))

it('the pages have YAML blocks', () => {
  expect(blocks.length).toBeGreaterThan(3)
})

it.each(blocks)('$at has nothing to correct', ({ at, text }) => {
  const { findings, manifests } = lint([{ path: `${at}/block.yaml`, text, isNamed: true }], { isComplete: false })
  expect(findings).toEqual([])
  // A block without an object of Taskmill would pass whatever it said.
  expect(manifests).toBeGreaterThan(0)
})

const pageOf = (path: string): string => readFileSync(path, 'utf8')

it('docs/coming-from-cronjob.md shows what the import makes of its CronJob', () => {
  const page = pageOf('docs/coming-from-cronjob.md')
  const [, indented = ''] = /^This CronJob\n\n((?: {4}.*\n)+)/mu.exec(page) ?? []
  const { text, converted } = renderDrafts(importCronJobs(indented.replaceAll(/^ {4}/gmu, '')))
  expect(converted).toBe(1)
  expect(blocksOf(page, 'yaml').map((block) => block.text)).toEqual([text])
})

it('docs/cli.md shows what `next -f --takes` prints', async () => {
  const [, command = '', shown = ''] =
    /^\$ taskmill (next -f sync\.yaml --after \S+ --count 4 --takes 90s)\n([^$]*)/mu.exec(pageOf('docs/cli.md')) ?? []
  const folder = mkdtempSync(join(tmpdir(), 'taskmill-pages-'))
  const path = join(folder, 'sync.yaml')
  writeFileSync(
    path,
    `apiVersion: taskmill.dev/v1alpha1\nkind: TaskSchedule\nmetadata: {name: sync}\nspec: {everySeconds: 60, concurrencyPolicy: Forbid, task: {type: sync, queue: q}}\n`,
  )
  try {
    const [name = '', ...argv] = command.split(' ')
    let out = ''
    const deps = { connect: refuse, readText: refuse, stop: new AbortController().signal, clock: fakeClock(), program: 'taskmill' }
    await runCommand(
      name,
      argv.map((each) => (each === 'sync.yaml' ? path : each)),
      {
        ...deps,
        out: (text) => void (out += text),
        err: (text) => void (out += text),
        readSchedules: (paths, namespace) => Promise.resolve(readSchedules(paths, { namespace, nowMs: 0 })),
      },
    )
    expect(out.replace(path, 'sync.yaml')).toBe(shown)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

function refuse(): Promise<never> {
  return Promise.reject(new Error('nothing of this kind here'))
}
