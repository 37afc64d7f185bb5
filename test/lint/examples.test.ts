import { globSync } from 'node:fs'
import { expect, it } from 'vitest'
import { lintMain } from '../../src/main/lint.ts'

function lintAt(path: string) {
  const said = { out: '', err: '' }
  const write = { out: (text: string) => void (said.out += text), err: (text: string) => void (said.err += text) }
  return { code: lintMain({ argv: ['--strict', path], write, isColoured: false, nowMs: 0 }), ...said }
}

it.each(globSync('examples/*'))('%s has nothing to correct', (path) => {
  const { code, out, err } = lintAt(path)
  expect([code, out]).toEqual([0, ''])
  expect(err).toMatch(/^\d+ manifests? in /u)
})

it('the repository itself has nothing to correct', () => {
  expect(lintAt('.')).toMatchObject({ code: 0, out: '' })
})
