import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lintMain } from './lint.ts'

const good = 'apiVersion: taskmill.dev/v1alpha1\nkind: TaskBroker\nmetadata: {name: default}\nspec: {standalone: {address: "redis:6379"}}\n'
const bad = good.replace('redis:6379', 'redis')
const unsure = `${good}---\napiVersion: taskmill.dev/v1alpha1\nkind: TaskSchedule\nmetadata: {name: a}\nspec: {everySeconds: 9, brokerRef: {name: x}, task: {type: t, queue: q}}\n`

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskmill-lint-'))
  const files = {
    'good/a.yaml': good,
    'good/b.txt': bad,
    'good/.git/c.yaml': bad,
    'good/node_modules/d.yaml': bad,
    'bad/deep/e.yml': bad,
    'bad/f.json': '{"apiVersion": "taskmill.dev/v1alpha1", "kind": "WorkerPol"}',
    'unsure.yaml': unsure,
    'next/nightly.yaml': nightly,
    'next/wrong.yaml': nightly.replace('30 2', '61 2'),
    'delayed.yaml': unsure.replace('everySeconds: 9', 'everySeconds: 900, jitterSeconds: 60'),
    'next/hashed.yaml': nightly.replace(', namespace: acme', '').replace('30 2', 'H 2'),
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
})

afterAll(() => rmSync(folder, { recursive: true }))

const nightly =
  'apiVersion: taskmill.dev/v1alpha1\nkind: TaskSchedule\nmetadata: {name: nightly, namespace: acme}\n' +
  'spec: {schedules: ["30 2 * * *"], timeZone: Europe/Berlin, task: {type: t, queue: q}}\n'

function call(...argv: readonly string[]) {
  const said = { out: '', err: '' }
  const write = { out: (text: string) => void (said.out += text), err: (text: string) => void (said.err += text) }
  const args = argv.map((each) => (each.startsWith('-') ? each : join(folder, each)))
  return { code: lintMain({ argv: args, write, isColoured: false, nowMs: Date.UTC(2026, 2, 28) }), ...said }
}

describe('--next', () => {
  it('lists the next slots of each schedule, with what clock changes do to them', () => {
    const { code, out } = call('next/nightly.yaml', '--next=2')
    expect(code).toBe(0)
    expect(out.split('\n').slice(-5)).toEqual([
      `${join(folder, 'next/nightly.yaml')} TaskSchedule/nightly: 30 2 * * * in Europe/Berlin`,
      '  SLOT                  LOCAL TIME',
      '  2026-03-28T01:30:00Z  Sat 2026-03-28 02:30',
      '  2026-03-29T01:00:00Z  Sun 2026-03-29 03:00  clocks skip 02:00 to 03:00: 02:30 runs at the end of the gap',
      '',
    ])
    expect(call('next/nightly.yaml').out).not.toContain('SLOT')
  })

  it('says of H that it depends on a namespace which is not named', () => {
    expect(call('next/hashed.yaml', '--next=1').out).toContain(
      '(what H stands for depends on the namespace, which the manifest does not name)',
    )
  })

  it('says of delays that they depend on a namespace which is not named', () => {
    expect(call('delayed.yaml', '--next=1').out).toContain(
      'every 900s, jitter 60s (when the runs are due depends on the namespace, which the manifest does not name)',
    )
    const { next } = JSON.parse(call('delayed.yaml', '--format=json', '--next=1').out) as { readonly next: readonly object[] }
    expect(next).toMatchObject([{ slots: [{ dueTime: expect.stringMatching(/T\d\d:(?:[03]0|[14]5|[03]1|[14]6):\d\dZ$/u) }] }])
  })

  it('lists nothing of a schedule with an error, and is part of the JSON document', () => {
    expect(call('next/wrong.yaml', '--next=2').out).not.toContain('SLOT')
    const { next } = JSON.parse(call('next', '--format=json', '--next=2').out) as { readonly next: readonly { readonly object: string }[] }
    expect(next.map(({ object }) => object)).toEqual(['TaskSchedule/nightly', 'TaskSchedule/nightly'])
    expect(next[1]).toMatchObject({
      timing: '30 2 * * * in Europe/Berlin',
      slots: [
        { slotTime: '2026-03-28T01:30:00Z', local: 'Sat 2026-03-28 02:30' },
        { slotTime: '2026-03-29T01:00:00Z', local: 'Sun 2026-03-29 03:00', note: expect.stringContaining('clocks skip') },
      ],
    })
    expect(JSON.parse(call('next', '--format=json').out)).not.toHaveProperty('next')
  })

  it.each(['0', 'x', '1001', ''])('refuses %j as a number of slots', (text) => {
    expect(call('next', `--next=${text}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining(`--next ${text}: write a number from 1 to 1000`),
    })
  })
})

describe('the exit code', () => {
  it.each<[code: number, what: string, argv: readonly string[]]>([
    [0, 'nothing to correct', ['good']],
    [1, 'an error in a folder', ['good', 'bad']],
    [1, 'an error in a file', ['bad/deep/e.yml']],
    [0, 'a warning', ['unsure.yaml']],
    [1, 'a warning, strictly', ['--strict', 'unsure.yaml']],
    [1, 'a name that is missing in a complete set', ['--complete', 'unsure.yaml']],
    [0, 'help', ['--help']],
    [2, 'a path that is not there', ['nowhere']],
    [2, 'an option that there is not', ['--fix', 'good']],
    [2, 'a format that there is not', ['--format=xml', 'good']],
  ])('%i: %s', (code, _, argv) => {
    expect(call(...argv).code).toBe(code)
  })
})

it('finds manifests in folders, below them too, and leaves alone what is hidden or installed', () => {
  const { out, err } = call('good', 'bad')
  expect(out.replaceAll(`${folder}/`, '')).toMatch(
    /^bad\/deep\/e\.yml:4:21 error TaskBroker\/default spec\.standalone\.address: must be host:port.*\nbad\/f\.json:1:\d+ error WorkerPol\/\(no name\) kind: WorkerPol is not a kind .*\n$/u,
  )
  expect(err.replaceAll(`${folder}/`, '')).toBe(
    '3 manifests in 3 files: 2 errors, 0 warnings. Not judged: 1 file that kubectl ignores by its name: *.txt; ' +
      '2 hidden or installed files and folders: good/.git, good/node_modules\n',
  )
})

describe('links', () => {
  beforeAll(() => {
    mkdirSync(join(folder, 'links/deep'), { recursive: true })
    symlinkSync('../bad', join(folder, 'links/bad'))
    symlinkSync('..', join(folder, 'links/deep/again'))
    symlinkSync('nowhere.yaml', join(folder, 'links/gone.yaml'))
    // Reading it would wait for a writer.
    spawnSync('sh', ['-c', 'mkfifo "$0"', join(folder, 'links/pipe.yaml')])
    writeFileSync(join(folder, 'links/a.yaml'), good)
    symlinkSync('a.yaml', join(folder, 'links/b.yaml'))
  })

  it('to files and folders are followed, and a broken one hides nothing', () => {
    const { code, out, err } = call('links')
    expect([code, out.replaceAll(`${folder}/`, '').replaceAll(/(?<=must be host:port|cannot be read|is not a kind).*/gu, '')]).toEqual([
      1,
      'links/bad/deep/e.yml:4:21 error TaskBroker/default spec.standalone.address: must be host:port\n' +
        'links/bad/f.json:1:41 error WorkerPol/(no name) kind: WorkerPol is not a kind\n' +
        'links/gone.yaml:1:1 error cannot be read\n',
    ])
    expect(err).toContain('1 hidden or installed file or folder')
  })

  it('to one file are not two objects', () => {
    expect(call('--complete', 'links/a.yaml', 'links/b.yaml')).toMatchObject({ code: 0, out: '' })
    expect(call('links/a.yaml', 'links').out).not.toContain('already exists')
  })
})

it('judges a file that is named whatever its name, and says when there was nothing to judge', () => {
  expect(call('good/b.txt').err).toBe('1 manifest in 1 file: 1 error, 0 warnings\n')
  const nothing = spawnSync(process.execPath, ['src/main/cli.ts', 'lint', '-'], { input: 'kind: Pod\napiVersion: v1\n', encoding: 'utf8' })
  expect(nothing).toMatchObject({ status: 0, stdout: '', stderr: expect.stringContaining('no manifest of taskmill.dev in 1 file: ') })
})

it('is a command that reads standard input', () => {
  const { status, stdout } = spawnSync(process.execPath, ['src/main/cli.ts', 'lint', '--format=github', '-'], {
    input: bad,
    encoding: 'utf8',
  })
  expect([status, stdout]).toEqual([
    1,
    expect.stringMatching(/^::error file=stdin,line=4,col=21,title=TaskBroker\/default::spec\.standalone\.address: /u),
  ])
})
