/** The program as a whole, where that matters: what it prints reaches a reader who takes it slowly, and none waits for a reader who has gone. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskmill-cli-'))
  const spec = 'everySeconds: 60, concurrencyPolicy: Queue, task: {type: a, queue: q}'
  writeFileSync(join(folder, 'a.yaml'), `apiVersion: taskmill.dev/v1alpha1\nkind: TaskSchedule\nmetadata: {name: a}\nspec: {${spec}}\n`)
})
afterAll(() => rmSync(folder, { recursive: true }))

/** A picture of more than a pipe holds. */
const shell = (rest: string): Promise<{ readonly stdout: string; readonly stderr: string }> =>
  promisify(execFile)(
    'sh',
    ['-c', `"${process.execPath}" src/main/cli.ts next -f "${folder}/a.yaml" --count 1000 --takes 90s -o svg ${rest}`],
    {
      maxBuffer: 2 ** 24,
    },
  )

it('prints all of a long output into a pipe', async () => {
  const { stdout } = await shell('| cat')
  expect(stdout.length).toBeGreaterThan(2 ** 17)
  expect(stdout.endsWith('</svg>\n')).toBe(true)
})

it('ends without a word when its reader has had enough', async () => {
  expect(await shell('| head -c 20')).toEqual({ stdout: '<svg xmlns="http://w', stderr: '' })
})
