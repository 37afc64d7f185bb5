/** What an operator answers over HTTP, and its gauges as what a test waits for. */
import type { OperatorProcess } from './operator-process.ts'

export async function fetchFrom(operator: OperatorProcess, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const { port } = (await operator.logged('operator started')) as unknown as { readonly port: number }
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  return { status: response.status, text: await response.text() }
}

/** The values of the series of that name that have these labels, whatever others they have. */
async function valuesOf(operator: OperatorProcess, name: string, labels: Readonly<Record<string, string>>): Promise<readonly number[]> {
  const { text } = await fetchFrom(operator, '/metrics')
  const own = text.split('\n').filter((line) => line.startsWith(`${name}{`))
  const found = own.filter((line) => Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)))
  return found.map((line) => Number(line.slice(line.lastIndexOf(' '))))
}

/**
 * Resolves when one series has that value; the test's timeout ends the wait. A pool sets its gauges when a reconciliation has written all that
 * it writes. So a test that has changed a queue, and sees the change here, knows that the operator has seen it and has done what it does.
 */
export async function untilGauge(
  operator: OperatorProcess,
  name: string,
  labels: Readonly<Record<string, string>>,
  wanted: number,
): Promise<void> {
  while (!(await valuesOf(operator, name, labels)).includes(wanted)) await new Promise((resolve) => setTimeout(resolve, 50))
}
