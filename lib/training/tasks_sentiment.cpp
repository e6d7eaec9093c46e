// Documents of scored words (after Maheswaranathan et al. 2019a, and for several classes Aitken et
// al. 2020): the class is that of the summed scores.
#include <assay/training/task_family.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::training {
namespace {

// Equally frequent words, token ids first ... first + count - 1, that add to the score of one
// class.
struct WordGroup {
    Index first = 0;
    Index count = 0;
    Index owner = -1; // class; neutral words have none
    double sign = 0;  // of their valence
};

// Token ids: for each class its positive and its negative words, then the neutral words, then, if
// documents have it, the word that flips the next one.
struct Vocabulary {
    Index classes = 1; // scores a document has
    std::vector<double> valence;
    std::vector<WordGroup> groups; // none is empty
    Index flip = -1;
};

struct SentimentSettings {
    double bias = 0, neutral_odds = 0, flip_probability = 0;
    Index shortest = 0, longest = 0;
};

std::vector<double> word_scores(const Parameters& p) {
    const auto given = p.numbers("scores");
    if (!given.empty()) return given;
    const double low = p.number("low"), high = p.number("high");
    std::vector<double> scores = equally_spaced(low, high, p.integer("positive"));
    for (const double score : equally_spaced(low, high, p.integer("negative")))
        scores.push_back(-score);
    scores.resize(scores.size() + static_cast<std::size_t>(p.integer("neutral")), 0.0);
    return scores;
}

void add_words(Vocabulary& v, const std::vector<double>& scores, Index owner, double sign) {
    const auto first = static_cast<Index>(v.valence.size());
    for (const double score : scores)
        if (sign == 0 ? score == 0 : sign * score > 0) v.valence.push_back(score);
    const auto count = static_cast<Index>(v.valence.size()) - first;
    if (count > 0) v.groups.push_back({first, count, owner, sign});
}

Vocabulary make_vocabulary(const Parameters& p) {
    const auto scores = word_scores(p);
    if (scores.empty()) p.refuse("positive", "at least one word of any kind");
    Vocabulary v;
    v.classes = p.integer("classes");
    checked_size({v.classes, v.classes, static_cast<Index>(scores.size())},
                 "scores of the vocabulary");
    for (Index k = 0; k < v.classes; ++k)
        for (const double sign : {1.0, -1.0}) add_words(v, scores, k, sign);
    add_words(v, scores, -1, 0);
    if (p.number("negation") > 0) {
        v.flip = static_cast<Index>(v.valence.size());
        v.valence.push_back(0);
    }
    return v;
}

// Cumulative odds of the groups in one document.
std::vector<double> group_odds(const Vocabulary& v, const SentimentSettings& s, const Draws& draws,
                               std::uint64_t what) {
    std::vector<double> odds;
    for (const WordGroup& group : v.groups)
        odds.push_back(group.owner < 0
                           ? s.neutral_odds * static_cast<double>(v.classes)
                           : std::exp(group.sign * s.bias * draws.normal(what, group.owner)));
    std::partial_sum(odds.begin(), odds.end(), odds.begin());
    return odds;
}

// The class of a document: of one score whether it is above 0, of several the largest (the first
// of equal ones).
std::int64_t class_of(const std::vector<double>& scores) {
    if (scores.size() == 1) return scores.front() > 0 ? 1 : 0;
    return std::max_element(scores.begin(), scores.end()) - scores.begin();
}

void write_document(const Vocabulary& v, const SentimentSettings& s, const Draws& draws, Row& row) {
    enum : std::uint64_t { length, bias, flipped, group, word };
    const auto odds = group_odds(v, s, draws, bias);
    std::vector<double> scores(static_cast<std::size_t>(v.classes), 0.0);
    *row.length = s.shortest + draws.below(s.longest - s.shortest + 1, length);
    double direction = 1;
    for (Index t = 0; t < *row.length; ++t) {
        if (v.flip >= 0 && draws.uniform(flipped, t) < s.flip_probability) {
            row.input(0, t) = static_cast<double>(v.flip);
            direction = -1;
            continue;
        }
        const double u = draws.uniform(group, t) * odds.back();
        const auto chosen = std::upper_bound(odds.begin(), odds.end() - 1, u) - odds.begin();
        const WordGroup& words = v.groups[static_cast<std::size_t>(chosen)];
        const Index token = words.first + draws.below(words.count, word, t);
        row.input(0, t) = static_cast<double>(token);
        if (words.owner >= 0)
            scores[static_cast<std::size_t>(words.owner)] +=
                direction * v.valence[static_cast<std::size_t>(token)];
        direction = 1;
    }
    *row.classes = class_of(scores);
}

std::vector<TruthArray> vocabulary_truth(const Vocabulary& v) {
    RowMatrix scores = RowMatrix::Zero(static_cast<Index>(v.valence.size()), v.classes);
    for (const WordGroup& group : v.groups)
        for (Index i = group.first; group.owner >= 0 && i < group.first + group.count; ++i)
            scores(i, group.owner) = v.valence[static_cast<std::size_t>(i)];
    std::vector<TruthArray> truth{
        truth_matrix("valence", scores, {"word", "score"}, "What each token adds to each score")};
    if (v.flip >= 0)
        truth.push_back(whole(truth_number("negation", static_cast<double>(v.flip),
                                           "Token that flips the valence of the next word")));
    return truth;
}

SentimentSettings read_settings(const Parameters& p) {
    SentimentSettings s;
    s.bias = p.number("bias");
    s.neutral_odds = p.number("neutral_odds");
    s.flip_probability = p.number("negation");
    s.shortest = p.integer("shortest");
    s.longest = p.integer("longest");
    if (s.shortest > s.longest) p.refuse("shortest", concat("at most longest (", s.longest, ")"));
    return s;
}

void check_odds(const Vocabulary& v, const SentimentSettings& s, const Parameters& p) {
    if (v.groups.front().owner < 0 && !(s.neutral_odds > 0))
        p.refuse("neutral_odds", "a number above 0 where every word is neutral");
}

TaskParts make_sentiment(const Parameters& p) {
    const SentimentSettings settings = read_settings(p);
    const Vocabulary vocabulary = make_vocabulary(p);
    check_odds(vocabulary, settings, p);
    TaskParts parts;
    parts.layout.input_shape = {settings.longest};
    parts.layout.input_axes = {"time"};
    parts.layout.vocabulary = static_cast<Index>(vocabulary.valence.size());
    parts.layout.classes = std::max<Index>(2, vocabulary.classes);
    parts.layout.has_lengths = true;
    parts.loss = "softmax_cross_entropy";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        write_document(vocabulary, settings, draws, row);
    });
    parts.truth = [vocabulary] { return vocabulary_truth(vocabulary); };
    return parts;
}

TaskEntry sentiment() {
    return {
        {"sentiment",
         "Documents of token ids with lengths (0 after the end); the class is 1 where the summed "
         "valence of the words is above 0. With several classes each has words and a score of its "
         "own, and the class is that of the largest score (the first of equal ones)",
         {integer("positive", 20, 0, 1e6, "words of positive valence (a class)"),
          integer("negative", 20, 0, 1e6, "words of negative valence (a class)"),
          integer("neutral", 60, 0, 1e6, "words of valence 0"),
          number("low", 0.5, 1e-9, kAnyNumber, "weakest valence of a positive or negative word"),
          number("high", 1.5, 1e-9, kAnyNumber, "strongest; words are equally spaced between"),
          numbers(
              "scores", "", -kAnyNumber, kAnyNumber,
              "the words' scores themselves (a class), in place of the five above; 0 is neutral"),
          number("bias", 0.35, 0, 10,
                 "sd over documents of b: odds of a positive word e^b, of a negative one e^-b"),
          number("neutral_odds", 1.5, 0, 1e6, "odds of a neutral word, times classes"),
          number("negation", 0, 0, 1,
                 "probability per step of a word that flips the valence of the next"),
          integer("shortest", 20, 1, kMostSteps, "document, words"),
          integer("longest", 50, 1, kMostSteps, "document, words; lengths are uniform"),
          integer("classes", 1, 1, 1000, "independent scores; 1: positive or not")},
         {{"scores",
           "Five equally frequent words of score -2 to 2, no bias",
           {{"scores", "-2,-1,0,1,2"}, {"bias", "0"}, {"neutral_odds", "0.5"}}}}},
        make_sentiment};
}

} // namespace

std::vector<TaskEntry> sentiment_tasks() {
    return {sentiment()};
}

} // namespace assay::training
