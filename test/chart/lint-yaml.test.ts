import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { run } from '../../hack/cluster/command.ts'
import { parseYaml } from '../../src/lint/yaml.ts'
import { tools } from './helm.ts'

const folder = mkdtempSync(join(tmpdir(), 'taskmill-yaml-'))
afterAll(() => rmSync(folder, { recursive: true }))

const text = `
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data:
  words: [yes, No, on, OFF, y, N, true, ~, null, Null, "", 'yes', nope, =]
  numbers: [1, -1, +1, 010, 0o10, -0o7, 0x1F, 0b101, 1_000, 1e3, 1.5, .5, 5., 1:30, 12:30:45, 0.1e1, 089, 1.2.3, 1e, 1E+2]
  times: [2026-11-23, 2026-11-23T08:00:00Z, 2026-11-23 08:00:00]
  tagged: [!!str 1, !!int "1"]
  base: &base {x: 1, y: 2}
  merged: {<<: *base, y: 3, z: *base}
  block: |
    a
     b
  folded: >-
    a
    b
  empty:
`

it('lint reads YAML as kubectl does', async () => {
  const file = join(folder, 'a.yaml')
  writeFileSync(file, text)
  const said = JSON.parse(await run(tools.kubectl, ['label', '--local', '--filename', file, '--output=json', 'a=b'])) as { data: unknown }
  const own: unknown = parseYaml(text)[0]?.toJS()
  expect(own).toMatchObject({ data: said.data })
})
