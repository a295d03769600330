/**
 * Says what went wrong.
 * @module
 */
import { SubmitUncertainError } from '../runtime/errors.ts'
import { exitCodeOf, isUnconnected } from './exit-codes.ts'
import { errorText } from './output/screen.ts'

/** Says it to standard error; returns the exit code. */
export async function tellFailure(error: unknown): Promise<number> {
  process.stderr.write(`errand: ${errorText(error)}${adviceOf(error)}\n`)
  return exitCodeOf(error)
}

function adviceOf(error: unknown): string {
  const again = SubmitUncertainError.is(error) ? `\nhere: --id ${error.ids[0]}` : ''
  const source = SubmitUncertainError.is(error) ? error.cause : error
  if (!isUnconnected(source)) return again
  return /Credentials|Token/.test(source.name)
    ? `${again}\nAWS takes no request without credentials: sign in (\`aws sso login\`), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for a fleet on this machine start \`errand cluster\` and unset ERRAND_TABLE`
    : `${again}\nnobody answers there: a cluster has ended, or the AWS_ENDPOINT_URL_… of this shell are of one that has`
}
