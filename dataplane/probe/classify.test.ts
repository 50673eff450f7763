import { describe, expect, test } from 'vitest';
import type { ProviderFamily } from '#shared/catalog/families.ts';
import { classify } from './classify.ts';
import { unreachable, type Outcome } from './finding.ts';

const judged = (family: ProviderFamily, status: number, text = '', model: string | undefined = 'm') =>
  classify({ family, status, text, model });

const ANTHROPIC = (type: string, message: string) => JSON.stringify({ type: 'error', error: { type, message } });
const GOOGLE = (status: string, message: string) => JSON.stringify({ error: { status, message } });
const AZURE = (code: string, message: string) => JSON.stringify({ error: { code, message } });

describe('[PROV-18] [PROV-11] what an answer says is told apart', () => {
  test.each<[ProviderFamily, number, string, Outcome]>([
    ['Anthropic', 200, '{"data":[]}', 'Valid'],
    ['Anthropic', 401, ANTHROPIC('authentication_error', 'invalid x-api-key'), 'BadCredential'],
    ['Anthropic', 403, ANTHROPIC('permission_error', 'not allowed'), 'NoPermission'],
    ['Anthropic', 404, ANTHROPIC('not_found_error', 'model: claude-x'), 'ModelNotEnabled'],
    ['Anthropic', 400, ANTHROPIC('invalid_request_error', 'Your credit balance is too low'), 'NoPermission'],
    ['Anthropic', 400, ANTHROPIC('invalid_request_error', 'max_tokens'), 'Unexpected'],
    ['Anthropic', 429, ANTHROPIC('rate_limit_error', 'slow down'), 'RateLimited'],
    ['Anthropic', 529, ANTHROPIC('overloaded_error', 'Overloaded'), 'Unexpected'],
    ['Anthropic', 500, '', 'Unexpected'],
    ['AnthropicCompatible', 407, '', 'Unreachable'],
    [
      'Bedrock',
      403,
      'UnrecognizedClientException{"message":"The security token included in the request is invalid."}',
      'BadCredential',
    ],
    [
      'Bedrock',
      403,
      'ExpiredTokenException{"message":"The security token included in the request is expired"}',
      'BadCredential',
    ],
    [
      'Bedrock',
      403,
      'InvalidSignatureException{"message":"The request signature we calculated does not match"}',
      'BadCredential',
    ],
    ['Bedrock', 403, '{"Message":"Authentication failed: Please make sure your API Key is valid."}', 'BadCredential'],
    [
      'Bedrock',
      403,
      `AccessDeniedException{"message":"You don't have access to the model with the specified model ID."}`,
      'ModelNotEnabled',
    ],
    [
      'Bedrock',
      403,
      'AccessDeniedException{"message":"User: arn:aws:iam::111122223333:user/x is not authorized to perform: bedrock:InvokeModel on resource"}',
      'NoPermission',
    ],
    [
      'Bedrock',
      404,
      '{"message":"Model use case details have not been submitted for this account."}',
      'ModelNotEnabled',
    ],
    ['Bedrock', 400, 'ValidationException{"message":"The provided model identifier is invalid."}', 'ModelNotEnabled'],
    ['Bedrock', 400, 'ValidationException{"message":"messages: at least one message is required"}', 'Unexpected'],
    ['Bedrock', 429, 'ThrottlingException', 'RateLimited'],
    [
      'ClaudePlatformAWS',
      403,
      '{"message":"User is not authorized to perform aws-external-anthropic:CreateInference"}',
      'NoPermission',
    ],
    ['Vertex', 401, GOOGLE('UNAUTHENTICATED', 'Request had invalid authentication credentials.'), 'BadCredential'],
    [
      'Vertex',
      403,
      GOOGLE('PERMISSION_DENIED', "Permission 'aiplatform.endpoints.predict' denied on resource"),
      'NoPermission',
    ],
    [
      'Vertex',
      403,
      GOOGLE('PERMISSION_DENIED', 'Vertex AI API has not been used in project 123 before or it is disabled.'),
      'NoPermission',
    ],
    [
      'Vertex',
      404,
      GOOGLE('NOT_FOUND', 'Publisher Model `projects/p/x` was not found or your project does not have access to it.'),
      'ModelNotEnabled',
    ],
    [
      'Foundry',
      401,
      AZURE('401', 'Access denied due to invalid subscription key or wrong API endpoint.'),
      'BadCredential',
    ],
    ['Foundry', 401, AZURE('PermissionDenied', 'The principal lacks the required data action'), 'NoPermission'],
    [
      'Foundry',
      404,
      AZURE('DeploymentNotFound', 'The API deployment for this resource does not exist.'),
      'ModelNotEnabled',
    ],
  ])('%s %i %s', (family, status, text, outcome) => {
    expect(judged(family, status, text).outcome).toBe(outcome);
  });

  test.each<[ProviderFamily, string]>([
    ['Bedrock', 'bedrock:InvokeModelWithResponseStream'],
    ['Vertex', 'roles/aiplatform.user'],
    ['Foundry', 'Cognitive Services User'],
  ])('[PROV-11] too little permission at %s names what is needed', (family, what) => {
    expect(judged(family, 403, family === 'Foundry' ? 'PermissionDenied' : '').message).toContain(what);
  });

  test('[SEC-21] no word of a provider is repeated', () => {
    const planted = 'arn:aws:iam::111122223333:user/planted sk-ant-api03-planted projects/planted-1';
    for (const family of ['Anthropic', 'Bedrock', 'Vertex', 'Foundry'] as const) {
      for (const status of [200, 400, 401, 403, 404, 429, 500]) {
        for (const text of [
          planted,
          `credit balance ${planted}`,
          `PermissionDenied ${planted}`,
          `ExpiredToken ${planted}`,
        ])
          expect(judged(family, status, text).message).not.toContain('planted');
      }
    }
  });
});

test.each<[string, string]>([
  ['ENOTFOUND', 'cannot be resolved'],
  ['ECONNREFUSED', 'refused'],
  ['UND_ERR_CONNECT_TIMEOUT', 'in time'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'not trusted'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'not trusted'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'not trusted'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'no TLS'],
  ['EWHATEVER', 'the connection fails'],
])('[PROV-18] unreachable for %s', (code, words) => {
  const error = new TypeError('fetch failed', { cause: Object.assign(new Error('secret words'), { code }) });
  const finding = unreachable(error, 'https://api.example.com');
  expect(finding.outcome).toBe('Unreachable');
  expect(finding.message).toContain(words);
  expect(finding.message).not.toContain('secret');
});
