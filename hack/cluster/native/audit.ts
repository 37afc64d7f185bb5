/**
 * The API server's record of what the operator asked it for, without bodies; the tests hold it against the rights that the chart
 * grants. It begins anew with every `up`, and stays small: it holds no other requests.
 */
import { writeFile } from 'node:fs/promises'

/** Requests are written when they are answered, watches already when they begin. */
export function auditPolicy(): string {
  return JSON.stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'Metadata', userGroups: ['system:serviceaccounts:taskmill-system'] }, { level: 'None' }],
  })
}

/** Also while the API server writes to it: it appends to a file that was there before. */
export async function beginAuditLog(file: string): Promise<void> {
  await writeFile(file, '')
}
