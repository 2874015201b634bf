//! The messages that people see most, in English and in Brazilian Portuguese.

/// The messages in one language. `{}` stands for what [`fill`] puts there.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the English texts say it")]
pub struct Words {
    pub nothing_found: &'static str,
    pub nothing_stored: &'static str,
    pub words_only: &'static str,
    pub not_embedded_yet: &'static str,
    pub sources: &'static str,
    pub memory: &'static str,
    pub untitled: &'static str,
    pub cancelled: &'static str,
    pub thinking: &'static str,
    pub chat_welcome: &'static str,
    pub chat_help: &'static str,
    pub new_conversation: &'static str,
    pub goes_on: &'static str,
    pub no_sources: &'static str,
    pub remembered: &'static str,
    pub remembered_in: &'static str,
    pub similar: &'static str,
    pub similar_hint: &'static str,
    pub secret_masked: &'static str,
    pub secret_found: &'static str,
    pub moved: &'static str,
    pub no_proposals: &'static str,
    pub proposals_off: &'static str,
    pub review_question: &'static str,
    pub review_similar: &'static str,
    pub review_hint: &'static str,
    pub rejected: &'static str,
    pub no_summary: &'static str,
    pub summary_of: &'static str,
    pub deleted: &'static str,
    pub restored: &'static str,
    pub kept_until: &'static str,
    pub forget_question: &'static str,
    pub all_of_project: &'static str,
    pub all_of_client: &'static str,
    pub all_of_trash: &'static str,
    pub forgotten: &'static str,
    pub forgotten_where: &'static str,
    pub forget_pending: &'static str,
    pub backups_hold_it: &'static str,
    pub backups_replaced: &'static str,
    pub copy_holds_it: &'static str,
    pub answer_may_repeat: &'static str,
    pub memory_taken_from_it: &'static str,
    pub backed_up: &'static str,
    pub no_backup: &'static str,
    pub restore_question: &'static str,
    pub put_back: &'static str,
    pub kept_aside: &'static str,
    pub kept: &'static str,
    pub gone_already: &'static str,
    pub no_jobs: &'static str,
    pub other_branches: &'static str,
    pub imported: &'static str,
    pub existing: &'static str,
    pub refused: &'static str,
    pub ignored: &'static str,
    pub mended: &'static str,
    pub passed_over: &'static str,
    pub imported_file: &'static str,
    pub more_files: &'static str,
    pub dry_run: &'static str,
    pub messages: &'static str,
    pub import_secrets: &'static str,
    pub exported: &'static str,
    pub retried: &'static str,
    pub more: &'static str,
    pub start_the_daemon: &'static str,
    pub wrong_settings: &'static str,
    pub all_well: &'static str,
    pub checks_failed: &'static str,
    pub setup_brought: &'static str,
    pub setup_present: &'static str,
    pub pinned: &'static str,
    pub archived: &'static str,
    pub private: &'static str,
    pub nothing_asked: &'static str,
    pub organised: &'static str,
    pub deleted_all: &'static str,
    pub delete_question: &'static str,
    pub folder_done: &'static str,
    pub folder_deleted: &'static str,
    pub tag_deleted: &'static str,
    pub branch_shown: &'static str,
    pub copied: &'static str,
    pub edited: &'static str,
    pub shared: &'static str,
    pub no_usage: &'static str,
    pub no_trash: &'static str,
    pub no_folders: &'static str,
    pub no_tags: &'static str,
    pub copy_of: &'static str,
    pub answers_message: &'static str,
    pub begins_branch: &'static str,
    pub on_other_branch: &'static str,
    pub demo_setup: &'static str,
    pub demo_llm: &'static str,
    pub demo_start: &'static str,
    pub demo_loaded: &'static str,
    pub demo_embedding: &'static str,
    pub demo_indexed: &'static str,
    pub demo_next: &'static str,
}

/// English.
pub const ENGLISH: Words = Words {
    nothing_found: "nothing found",
    nothing_stored: "nothing is stored yet",
    words_only: "found by words only: {}",
    not_embedded_yet: "{} passages are found by their words only until they are embedded",
    sources: "Sources",
    memory: "memory",
    untitled: "untitled",
    cancelled: "cancelled; what had come by then is kept",
    thinking: "recalling and answering …",
    chat_welcome: "nosso chat: answers with what was said before. /help lists the commands, Ctrl-D leaves.",
    chat_help: "/sources  what the last answer was made from\n/new      begin a new conversation\n/again    ask the last question again\n/edit …   ask the last question in other words, on a branch of its own\n/help     this list\n/quit     leave (Ctrl-D does too)\nCtrl-C    stop the running answer",
    new_conversation: "a new conversation begins with your next line",
    goes_on: "going on with {}",
    no_sources: "the last answer recalled nothing",
    remembered: "remembered: {}",
    remembered_in: "remembered for {}: {}",
    similar: "nothing was stored, for this says nearly the same:",
    similar_hint: "store it all the same with --anyway, or let it take that one's place with --replace",
    secret_masked: "a secret was masked: {}, line {}",
    secret_found: "this holds a secret: {}, line {}",
    moved: "{} memories moved",
    no_proposals: "nothing is proposed",
    proposals_off: "nothing is proposed; `nosso config set memory.extract.enabled true` lets the language model propose memories",
    review_question: "Remember this? [y]es, [n]o, [l]ater, [q]uit ",
    review_similar: "Remember this? [y]es, [r]eplace the similar one, [n]o, [l]ater, [q]uit ",
    review_hint: "take one over with --accept ID, turn it down with --reject ID",
    rejected: "turned down: {}",
    no_summary: "this conversation has no summary; --make lets the language model write one",
    summary_of: "{} messages · {}",
    deleted: "deleted: {}; nosso undo brings it back",
    restored: "brought back: {}",
    kept_until: "until {}",
    forget_question: "Forget this for good? [y/N] ",
    all_of_project: "everything of the project {}",
    all_of_client: "everything that {} stored",
    all_of_trash: "everything in the trash",
    forgotten: "forgotten: {} conversations, {} messages, {} memories, {} records in the trash",
    forgotten_where: "removed: the words of {} texts, {} passages, {} jobs, {} vectors, {} quotations elsewhere",
    forget_pending: "not done yet, the daemon goes on with it: {} {}",
    backups_hold_it: "these backups may hold copies (--backups replaces them): {}",
    backups_replaced: "a new backup took the place of {} older ones",
    copy_holds_it: "a copy of the conversation holds it too: nosso show {}",
    answer_may_repeat: "an answer was made from it and may repeat it: nosso show {}",
    memory_taken_from_it: "a memory was taken from it and stays: nosso show {}",
    backed_up: "copied and checked: {} ({})",
    no_backup: "no backup in {} yet: nosso backup makes one",
    restore_question: "Put {} in the place of everything that is stored? [y/N] ",
    put_back: "stored now: {} conversations, {} messages, {} memories",
    kept_aside: "what was there before: {}",
    kept: "kept",
    gone_already: "was gone already: {}",
    no_jobs: "no such job waits",
    other_branches: "{} more messages are on other branches; --branches shows them",
    imported: "added {} conversations, {} messages, {} memories",
    existing: "already there: {} conversations, {} messages, {} memories",
    refused: "left out: {} records",
    ignored: "nothing to keep in: {}",
    mended: "read although something was wrong: {}",
    passed_over: "files that are no histories: {}",
    imported_file: "{} ({}): {} messages added, {} were there already",
    more_files: "… and {} files more",
    dry_run: "nothing was stored; this is what would be:",
    messages: "messages",
    import_secrets: "secrets were found: {}",
    exported: "exported {} conversations, {} messages, {} memories to {}",
    retried: "{} jobs are in the queue again",
    more: "there is more: -n {} or --all",
    start_the_daemon: "the daemon is not running; start it with: {}",
    wrong_settings: "the settings are wrong, so the daemon keeps those it has: {}",
    all_well: "all is well",
    checks_failed: "failed checks: {}",
    setup_brought: "brought {}",
    setup_present: "already there: {}",
    pinned: "pinned",
    archived: "archived",
    private: "private",
    nothing_asked: "nothing was asked yet",
    organised: "conversations changed: {}",
    deleted_all: "deleted {} conversations with {} messages; nosso trash shows them, nosso undo ID brings one back",
    delete_question: "Move {} conversations into the trash? [y/N] ",
    folder_done: "the folder is {}",
    folder_deleted: "the folder is gone; conversations that moved or went with it: {}",
    tag_deleted: "taken from {} conversations",
    branch_shown: "{} now shows the branch that ends in {}",
    copied: "copied {} messages into {}",
    edited: "said anew: {}",
    shared: "wrote {} messages to {}",
    no_usage: "nothing was said in that time",
    no_trash: "the trash is empty",
    no_folders: "there are no folders yet: nosso organise ID --folder PATH makes one",
    no_tags: "no conversation has a tag yet: nosso organise ID --tag NAME gives one",
    copy_of: "copy of {}",
    answers_message: "answers {}",
    begins_branch: "begins anew",
    on_other_branch: "on another branch",
    demo_setup: "looking for what finding by meaning needs (brought now where it is missing, 115 MB)",
    demo_llm: "starting a tiny language model, 135 million parameters: it shows the way of an answer, not its quality",
    demo_start: "starting a private daemon in a temporary folder",
    demo_loaded: "loaded {} conversations, {} messages and {} memories of several tools, in English and Portuguese",
    demo_embedding: "passages embedded",
    demo_indexed: "all {} passages can be found by their meaning, in either language",
    demo_next: "That was the demo; its daemon and its history are gone again. Now your own:\n\n  nosso service install          let systemd start your daemon when it is needed\n  nosso remember \"…\"             store a fact for all tools\n  nosso import history.json      bring in conversations you have\n  nosso chat                     talk with an assistant that remembers\n  nosso doctor                   see what could be better",
};

/// Brazilian Portuguese.
pub const PORTUGUESE: Words = Words {
    nothing_found: "nada encontrado",
    nothing_stored: "ainda não há nada guardado",
    words_only: "busca só por palavras: {}",
    not_embedded_yet: "{} trechos só são achados pelas palavras até serem vetorizados",
    sources: "Fontes",
    memory: "memória",
    untitled: "sem título",
    cancelled: "cancelado; o que já tinha chegado fica guardado",
    thinking: "lembrando e respondendo …",
    chat_welcome: "nosso chat: responde com o que já foi dito. /help mostra os comandos, Ctrl-D sai.",
    chat_help: "/sources  de onde veio a última resposta\n/new      começa outra conversa\n/again    faz a última pergunta de novo\n/edit …   faz a última pergunta com outras palavras, em outro ramo\n/help     esta lista\n/quit     sai (Ctrl-D também)\nCtrl-C    interrompe a resposta",
    new_conversation: "a próxima linha começa outra conversa",
    goes_on: "continuando {}",
    no_sources: "a última resposta não lembrou de nada",
    remembered: "guardado: {}",
    remembered_in: "guardado para {}: {}",
    similar: "nada foi guardado, pois isto diz quase o mesmo:",
    similar_hint: "guarde mesmo assim com --anyway, ou ponha no lugar daquela com --replace",
    secret_masked: "um segredo foi mascarado: {}, linha {}",
    secret_found: "aqui há um segredo: {}, linha {}",
    moved: "{} memórias mudaram de lugar",
    no_proposals: "nada proposto",
    proposals_off: "nada proposto; `nosso config set memory.extract.enabled true` deixa o modelo de linguagem propor memórias",
    review_question: "Guardar isto? [s]im, [n]ão, [d]epois, [q] sair ",
    review_similar: "Guardar isto? [s]im, [r] no lugar da parecida, [n]ão, [d]epois, [q] sair ",
    review_hint: "aceite uma com --accept ID, recuse com --reject ID",
    rejected: "recusado: {}",
    no_summary: "esta conversa não tem resumo; --make pede um ao modelo de linguagem",
    summary_of: "{} mensagens · {}",
    deleted: "apagado: {}; nosso undo traz de volta",
    restored: "de volta: {}",
    kept_until: "até {}",
    forget_question: "Esquecer isto de vez? [s/N] ",
    all_of_project: "tudo do projeto {}",
    all_of_client: "tudo o que {} guardou",
    all_of_trash: "tudo o que está na lixeira",
    forgotten: "esquecidos: {} conversas, {} mensagens, {} memórias, {} registros na lixeira",
    forgotten_where: "removidos: as palavras de {} textos, {} trechos, {} tarefas, {} vetores, {} citações em outros lugares",
    forget_pending: "ainda não acabou, o serviço continua: {} {}",
    backups_hold_it: "estas cópias de segurança podem conter isto (--backups as substitui): {}",
    backups_replaced: "uma nova cópia de segurança substituiu {} antigas",
    copy_holds_it: "uma cópia da conversa também o contém: nosso show {}",
    answer_may_repeat: "uma resposta foi feita com isto e pode repeti-lo: nosso show {}",
    memory_taken_from_it: "uma memória foi tirada disto e fica: nosso show {}",
    backed_up: "copiado e verificado: {} ({})",
    no_backup: "ainda não há cópia de segurança em {}: nosso backup faz uma",
    restore_question: "Colocar {} no lugar de tudo o que está guardado? [s/N] ",
    put_back: "guardados agora: {} conversas, {} mensagens, {} memórias",
    kept_aside: "o que havia antes: {}",
    kept: "mantido",
    gone_already: "já não existia: {}",
    no_jobs: "nenhuma tarefa dessas na fila",
    other_branches: "há mais {} mensagens em outros ramos; --branches mostra todas",
    imported: "novos: {} conversas, {} mensagens, {} memórias",
    existing: "já existiam: {} conversas, {} mensagens, {} memórias",
    refused: "deixados de fora: {} registros",
    ignored: "nada a guardar em: {}",
    mended: "lidos apesar de algo estar errado: {}",
    passed_over: "arquivos que não são históricos: {}",
    imported_file: "{} ({}): {} mensagens novas, {} já existiam",
    more_files: "… e mais {} arquivos",
    dry_run: "nada foi guardado; seria isto:",
    messages: "mensagens",
    import_secrets: "segredos encontrados: {}",
    exported: "exportados: {} conversas, {} mensagens, {} memórias para {}",
    retried: "{} tarefas voltaram para a fila",
    more: "há mais: -n {} ou --all",
    start_the_daemon: "o serviço não está rodando; inicie com: {}",
    wrong_settings: "a configuração está errada, e o serviço fica com a que tem: {}",
    all_well: "está tudo bem",
    checks_failed: "verificações que falharam: {}",
    setup_brought: "trazido: {}",
    setup_present: "já estava aqui: {}",
    pinned: "fixada",
    archived: "arquivada",
    private: "particular",
    nothing_asked: "ainda não houve pergunta",
    organised: "conversas mudadas: {}",
    deleted_all: "apagadas {} conversas com {} mensagens; nosso trash mostra quais, nosso undo ID traz uma de volta",
    delete_question: "Pôr {} conversas na lixeira? [s/N] ",
    folder_done: "a pasta é {}",
    folder_deleted: "a pasta se foi; conversas que mudaram de lugar ou foram com ela: {}",
    tag_deleted: "tirada de {} conversas",
    branch_shown: "{} agora mostra o ramo que termina em {}",
    copied: "{} mensagens copiadas para {}",
    edited: "dito de novo: {}",
    shared: "{} mensagens escritas em {}",
    no_usage: "nada foi dito nesse tempo",
    no_trash: "a lixeira está vazia",
    no_folders: "ainda não há pastas: nosso organise ID --folder CAMINHO cria uma",
    no_tags: "nenhuma conversa tem etiqueta ainda: nosso organise ID --tag NOME põe uma",
    copy_of: "cópia de {}",
    answers_message: "responde a {}",
    begins_branch: "começa de novo",
    on_other_branch: "em outro ramo",
    demo_setup: "procurando o que a busca por sentido precisa (o que faltar é trazido agora, 115 MB)",
    demo_llm: "iniciando um modelo de linguagem minúsculo, de 135 milhões de parâmetros: mostra o caminho da resposta, não a qualidade",
    demo_start: "iniciando um serviço particular numa pasta temporária",
    demo_loaded: "carregadas {} conversas, {} mensagens e {} memórias de várias ferramentas, em inglês e português",
    demo_embedding: "trechos vetorizados",
    demo_indexed: "todos os {} trechos podem ser achados pelo sentido, em qualquer das duas línguas",
    demo_next: "Essa foi a demonstração; o serviço e o histórico dela já sumiram. Agora o seu:\n\n  nosso service install          o systemd inicia o serviço quando for preciso\n  nosso remember \"…\"             guarda um fato para todas as ferramentas\n  nosso import historico.json    traz as conversas que você já tem\n  nosso chat                     conversa com quem se lembra\n  nosso doctor                   mostra o que pode melhorar",
};

/// The messages in the language that `LC_ALL`, `LC_MESSAGES` or `LANG` names; the first that is set decides.
pub fn words(var: impl Fn(&str) -> Option<String>) -> &'static Words {
    let named = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| var(name).filter(|value| !value.is_empty()));
    match named {
        Some(locale) if locale.to_ascii_lowercase().starts_with("pt") => &PORTUGUESE,
        _ => &ENGLISH,
    }
}

/// Puts the values where the text has `{}`, in order.
pub fn fill(text: &str, values: &[&dyn std::fmt::Display]) -> String {
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for (i, part) in parts.enumerate() {
        if let Some(value) = values.get(i) {
            filled.push_str(&value.to_string());
        }
        filled.push_str(part);
    }
    filled
}

/// Whether the answer to a question means yes, in either language.
pub fn is_yes(answer: &str) -> bool {
    ["y", "yes", "s", "sim"].contains(&answer.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(vars: &[(&str, &str)]) -> &'static Words {
        words(|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_locale_decides() {
        for (vars, expected) in [
            (&[][..], &ENGLISH),
            (&[("LANG", "pt_BR.UTF-8")], &PORTUGUESE),
            (&[("LANG", "de_DE.UTF-8")], &ENGLISH),
            (&[("LANG", "pt_BR.UTF-8"), ("LC_ALL", "C")], &ENGLISH),
            (&[("LANG", "en_US.UTF-8"), ("LC_MESSAGES", "pt_PT")], &PORTUGUESE),
            (&[("LANG", "pt_BR"), ("LC_ALL", "")], &PORTUGUESE),
        ] {
            assert_eq!(language(vars), expected, "{vars:?}");
        }
    }

    #[test]
    fn both_languages_have_the_same_gaps() {
        // Debug prints each text behind its name, in the same order in both
        let gaps = |words: &Words| -> Vec<usize> {
            format!("{words:#?}").lines().map(|line| line.matches("{}").count()).collect()
        };
        assert_eq!(gaps(&ENGLISH), gaps(&PORTUGUESE));
    }

    #[test]
    fn values_fill_the_gaps_in_order() {
        assert_eq!(fill("a {} b {}", &[&1, &"{}"]), "a 1 b {}");
        assert_eq!(fill("{}", &[]), "");
    }

    #[test]
    fn yes_is_understood_in_both_languages() {
        assert!(["y", "Sim\n", " YES"].iter().all(|answer| is_yes(answer)));
        assert!(!["", "n", "yy", "não"].iter().any(|answer| is_yes(answer)));
    }
}
