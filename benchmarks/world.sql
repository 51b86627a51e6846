-- A registry of %(sessions)s sessions with twenty datasets on average (one session in ten has a hundred), of %(subjects)s animals in the labs
-- that are there.
-- Filled with the triggers off: the rows are as the services would have left them.
CREATE TEMP TABLE lab AS SELECT id, name, timezone, row_number() OVER (ORDER BY name) - 1 AS n FROM labs_lab;

INSERT INTO labs_location (id, name, lab_id) SELECT gen_random_uuid(), 'rig_' || name, id FROM lab;
INSERT INTO labs_project (id, name, description) SELECT gen_random_uuid(), 'project_' || n, '' FROM generate_series(1, 8) n;
CREATE TEMP TABLE project AS SELECT id, row_number() OVER (ORDER BY name) - 1 AS n FROM labs_project;
INSERT INTO labs_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined,
    is_stock_manager, orcid, is_public_user)
SELECT gen_random_uuid(), '!', false, 'user' || n, '', '', '', false, true, now(), false, '', false FROM generate_series(1, 20) n;
CREATE TEMP TABLE person AS SELECT id, username, row_number() OVER (ORDER BY username) - 1 AS n FROM labs_user WHERE username LIKE 'user%%';
INSERT INTO labs_membership (id, role, lab_id, user_id)
SELECT gen_random_uuid(), 'experimenter', lab.id, person.id FROM person JOIN lab ON lab.n = person.n %% 5;

INSERT INTO datasets_revision (id, name, description)
SELECT gen_random_uuid(), name, '' FROM unnest(ARRAY['2024-05-06', '2024-07-10', '2025-03-01']) name;
CREATE TEMP TABLE revision AS SELECT id, name, row_number() OVER (ORDER BY name) - 1 AS n FROM datasets_revision;
INSERT INTO datasets_tag (id, name, description, protected, public, hash)
SELECT gen_random_uuid(), '2024_Q' || n || '_release', '', n = 1, n = 2, '' FROM generate_series(1, 12) n;
CREATE TEMP TABLE tag AS SELECT id, row_number() OVER (ORDER BY name) - 1 AS n FROM datasets_tag;

INSERT INTO subjects_line (id, name, nickname, lab_id, source_identifier, source_url, expression_data_url, target_phenotype, description,
    is_active, last_subject_number, last_breeding_pair_number, last_litter_number)
SELECT gen_random_uuid(), 'line ' || s, 'L' || s, lab.id, '', '', '', '', '', true, 0, 0, 0 FROM lab, generate_series(1, 4) s;
CREATE TEMP TABLE line AS SELECT id, lab_id, row_number() OVER (PARTITION BY lab_id ORDER BY name) - 1 AS n FROM subjects_line;
INSERT INTO subjects_allele (id, nickname, name) SELECT gen_random_uuid(), 'allele' || n, '' FROM generate_series(1, 3) n;
CREATE TEMP TABLE animal AS SELECT s AS n, gen_random_uuid() AS id, 'M' || lpad(s::text, 5, '0') AS nickname, lab.id AS lab_id, lab.name AS lab,
    lab.timezone, s %% 4 = 0 AS restricted FROM generate_series(1, %(subjects)s) s JOIN lab ON lab.n = s %% 5;
INSERT INTO subjects_subject (id, nickname, lab_id, line_id, responsible_user_id, sex, born_on, died_on, protocol_number, description, name,
    ear_mark, cage_name, adverse_effects, export_id, to_be_genotyped, to_be_culled)
SELECT a.id, a.nickname, a.lab_id, line.id, person.id, CASE WHEN a.n %% 2 = 0 THEN 'F' ELSE 'M' END, date '2022-01-01' + a.n %% 200,
       CASE WHEN a.n %% 4 = 1 THEN current_date - a.n %% 100 END, '1', '', '', '', 'C' || a.n / 4, '', '', false, false
  FROM animal a JOIN line ON line.lab_id = a.lab_id AND line.n = a.n %% 4 JOIN person ON person.n = a.n %% 20;
INSERT INTO subjects_zygosity (id, subject_id, allele_id, state, basis, why)
SELECT gen_random_uuid(), a.id, x.id, 1, 'typed', '' FROM animal a JOIN subjects_allele x ON x.nickname = 'allele' || 1 + a.n %% 3;
INSERT INTO subjects_subject_projects (subject_id, project_id) SELECT a.id, p.id FROM animal a JOIN project p ON p.n = a.n %% 8;
INSERT INTO subjects_surgery (id, subject_id, lab_id, name, zone, started_wall, started_at, narrative, outcome_type, implant_weight_g,
    anaesthetic, ethics_review_id)
SELECT gen_random_uuid(), id, lab_id, '', timezone, current_date - 90, current_date - 90, '', 'r', 1.2, '', '' FROM animal WHERE n %% 2 = 0;
INSERT INTO subjects_waterrestriction (id, subject_id, lab_id, name, zone, started_wall, started_at, narrative, reference_weight_g,
    ethics_review_id)
SELECT gen_random_uuid(), id, lab_id, '', timezone, current_date - 30, current_date - 30, '', 25, '' FROM animal WHERE restricted;
INSERT INTO subjects_weighing (id, subject_id, at_wall, zone, at, weight_g, counts)
SELECT gen_random_uuid(), a.id, t.wall, a.timezone, t.wall AT TIME ZONE a.timezone, 20 + (a.n + d) %% 9, true FROM animal a,
       generate_series(0, 39) d, LATERAL (SELECT current_date - d + time '09:00' AS wall) t WHERE a.restricted OR d %% 7 = 0;
INSERT INTO subjects_wateradministration (id, subject_id, at_wall, zone, at, volume_ml, adlib, counts)
SELECT gen_random_uuid(), a.id, t.wall, a.timezone, t.wall AT TIME ZONE a.timezone, 0.5 + ((a.n + d) %% 9) / 10.0, false, true FROM animal a,
       generate_series(0, 29) d, LATERAL (SELECT current_date - d + time '10:00' AS wall) t WHERE a.restricted;

CREATE TEMP TABLE recorded AS
SELECT s AS n, gen_random_uuid() AS id, a.id AS subject_id, a.lab_id, a.lab, a.nickname, a.timezone, date '2023-01-01' + s / %(subjects)s + a.n %% 700 AS day,
       1 + (s %% 7 = 0)::int AS number, CASE WHEN s %% 10 = 0 THEN 100 WHEN s %% 10 = 1 THEN 12 ELSE 11 END AS files
  FROM generate_series(1, %(sessions)s) s JOIN animal a ON a.n = 1 + s %% %(subjects)s;
ANALYZE recorded;
INSERT INTO lab_sessions_session (id, subject_id, lab_id, location_id, path_date, number, zone, started_wall, started_at, ended_wall, ended_at,
    type, task_protocol, narrative, n_trials, n_correct_trials, qc, extended_qc, json, registered_by_id, created_at)
SELECT r.id, r.subject_id, r.lab_id, l.id, r.day, r.number, r.timezone, t.wall, t.wall AT TIME ZONE r.timezone, t.wall + interval '1 hour',
       (t.wall + interval '1 hour') AT TIME ZONE r.timezone, 'Experiment',
       (ARRAY['_iblrig_tasks_ephysChoiceWorld6.4.2', '_iblrig_tasks_trainingChoiceWorld7.1', '_iblrig_tasks_biasedChoiceWorld7.1',
              'passive_recording'])[1 + r.n %% 4],
       CASE WHEN r.n %% 20 = 0 THEN 'the animal was sleepy' ELSE '' END, 400 + r.n %% 600, 300 + r.n %% 100,
       (ARRAY[0, 10, 30, 40, 50])[1 + r.n %% 5], '{"task": "PASS", "_task_goCue_delays": ' || (r.n %% 100) / 100.0 || '}',
       '{"IBLRIG_VERSION": "8.' || r.n %% 30 || '"}', person.id, t.wall AT TIME ZONE r.timezone
  FROM recorded r JOIN labs_location l ON l.name = 'rig_' || r.lab JOIN person ON person.n = r.n %% 20,
       LATERAL (SELECT r.day + time '09:00' + (r.n %% 500) * interval '1 minute' AS wall) t;
INSERT INTO lab_sessions_session_users (session_id, user_id) SELECT r.id, person.id FROM recorded r JOIN person ON person.n = r.n %% 20;
INSERT INTO lab_sessions_session_projects (session_id, project_id) SELECT r.id, project.id FROM recorded r JOIN project ON project.n = r.n %% 8;
INSERT INTO lab_sessions_session_procedures (session_id, proceduretype_id)
SELECT r.id, p.id FROM recorded r JOIN subjects_proceduretype p
    ON p.name = CASE WHEN r.n %% 10 = 0 THEN 'Ephys recording with acute probe(s)' WHEN r.n %% 100 = 1 THEN 'Histology' ELSE 'Behavior training/tasks' END;
INSERT INTO subjects_wateradministration (id, subject_id, session_id, at_wall, zone, at, volume_ml, adlib, counts)
SELECT gen_random_uuid(), r.subject_id, r.id, r.day + time '12:00' + (r.n %% 500) * interval '1 second', r.timezone, r.day + time '12:00', 1.1, false,
       true FROM recorded r;
INSERT INTO core_note (id, content_type_id, object_id, user_id, at_wall, zone, at, text, image)
SELECT gen_random_uuid(), c.id, r.id, person.id, r.day, r.timezone, r.day, 'a note', '' FROM recorded r JOIN person ON person.n = r.n %% 20,
       django_content_type c WHERE c.app_label = 'lab_sessions' AND c.model = 'session' AND r.n %% 5 = 0;

CREATE TEMP TABLE probe AS SELECT r.n, r.id AS session_id, gen_random_uuid() AS id, gen_random_uuid() AS trajectory, 'probe0' || p AS name
  FROM recorded r, generate_series(0, 1) p WHERE r.files = 100;
INSERT INTO lab_sessions_probeinsertion (id, name, serial, session_id, model_id)
SELECT id, name, 'S' || n, session_id, (SELECT id FROM subjects_probemodel ORDER BY name LIMIT 1) FROM probe;
INSERT INTO lab_sessions_trajectoryestimate (id, provenance, x, y, z, depth, theta, phi, roll, probe_insertion_id)
SELECT trajectory, 70, 1, 2, 3, 4, 5, 6, 0, id FROM probe;
CREATE TEMP TABLE region AS SELECT id, row_number() OVER (ORDER BY first, id) - 1 AS n FROM lab_sessions_brainregion;
INSERT INTO lab_sessions_channel (id, name, axial, "lateral", x, y, z, brain_region_id, trajectory_id)
SELECT gen_random_uuid(), '', c * 20, 11, 1, 2, 3, region.id, p.trajectory
  FROM probe p, generate_series(1, 24) c JOIN region ON true WHERE region.n = (p.n * 7 + c / 4) %% (SELECT count(*) FROM region);

-- Kinds of files: the types whose pattern takes `<type>.npy`, and no other type's pattern does.
CREATE TEMP TABLE kind AS
WITH pattern AS (SELECT id, name, '^' || replace(replace(filename_pattern, '.', '\.'), '*', '.*') || '$' AS shape
                   FROM datasets_datasettype WHERE filename_pattern <> '')
SELECT a.id, a.name, row_number() OVER (ORDER BY a.name) - 1 AS n FROM pattern a
 WHERE lower(a.name) || '.npy' ~ a.shape AND 1 = (SELECT count(*) FROM pattern b WHERE lower(a.name) || '.npy' ~ b.shape);
-- Every twentieth file of a session is a revision of the one before it, and its default.
CREATE TEMP TABLE file AS
SELECT gen_random_uuid() AS id, r.n, r.id AS session_id, r.lab_id, r.lab, k, kind.id AS kind, revision.id AS revision_id,
       (ARRAY['alf', 'alf/probe00', 'alf/probe01', 'raw_ephys_data/probe00', 'raw_video_data', 'raw_behavior_data'])[1 + k / 20] AS collection,
       kind.name || '.npy' AS name, coalesce('#' || revision.name || '#/', '') AS folder, md5(r.n || '/' || k) AS md5,
       r.nickname || '/' || r.day || '/' || lpad(r.number::text, 3, '0') || '/' AS place, r.day
  FROM recorded r CROSS JOIN LATERAL generate_series(0, r.files - 1) k
  JOIN kind ON kind.n = (k - (k %% 20 = 7)::int) %% (SELECT count(*) FROM kind)
  LEFT JOIN revision ON k %% 20 = 7 AND revision.n = r.n %% 3;
ANALYZE file;
INSERT INTO datasets_dataset (id, session_id, collection, name, dataset_type_id, data_format_id, revision_id, content_version, size_bytes, md5,
    sha256, hash_state, software_version, generating_software, qc, is_default, created_by_id, created_at)
SELECT f.id, f.session_id, f.collection, f.name, f.kind, (SELECT id FROM datasets_dataformat WHERE file_extension = '.npy'), f.revision_id, 1,
       1000 + f.k, f.md5, '', 'attested', '3.3.1', '', (ARRAY[0, 0, 0, 10, 10, 10, 10, 30, 40, 50])[1 + (f.n + f.k) %% 10],
       f.k %% 20 <> 6 OR f.k = 100, person.id, f.day + interval '20 hours' + f.k * interval '1 second'
  FROM file f JOIN person ON person.n = f.n %% 20;
INSERT INTO datasets_contentversion (dataset_id, content_version, size_bytes, md5, sha256) SELECT id, 1, 1000 + k, md5, '' FROM file;
INSERT INTO datasets_dataset_tags (dataset_id, tag_id) SELECT f.id, tag.id FROM file f JOIN tag ON tag.n = f.n / 3 %% 12 WHERE f.k %% 10 = 0 AND f.n %% 3 = 0;
-- A claimed copy at the lab, a proved one at the central server (one session in fifty still waits for it), every other session mirrored.
INSERT INTO datasets_filerecord (id, dataset_id, repository_id, relative_path, stored_path, path_key, content_version, state, size_bytes, md5,
    sha256, evidence_level, evidence, verified_at, reason)
SELECT gen_random_uuid(), f.id, p.id, path.relative, path.stored, path.stored, 1, copy.state, 1000 + f.k,
       CASE WHEN copy.state = 'verified' THEN f.md5 ELSE '' END, '', CASE WHEN copy.state = 'verified' THEN 4 ELSE 0 END, '{}',
       CASE WHEN copy.state = 'verified' THEN now() END, ''
  FROM file f JOIN datasets_repository_labs l ON l.lab_id = f.lab_id JOIN datasets_repository p ON p.id = l.repository_id
  CROSS JOIN LATERAL (SELECT f.place || f.collection || '/' || f.folder || f.name AS relative,
      f.place || f.collection || '/' || f.folder || CASE WHEN p.uuid_in_names THEN replace(f.name, '.npy', '.' || f.id || '.npy') ELSE f.name END AS stored) path
  CROSS JOIN LATERAL (SELECT CASE WHEN p.role = 'lab' THEN 'claimed' WHEN f.n %% 50 = 3 THEN 'expected' ELSE 'verified' END AS state) copy
 WHERE p.role <> 'mirror' OR f.n %% 2 = 0;
